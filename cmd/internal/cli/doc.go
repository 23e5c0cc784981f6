// Package cli is what the command line tools share: the flags that say how to reach the heads, tokens from files, exit codes, and
// printing as a table, JSON or YAML. Only the commands import it; what a command does lives in the packages below comet.
package cli
