// Package sliceverbs holds the commands that put down, show and take away the place-holders of a slice's VMs. comet-controller has them
// for an ORCA controller, cometctl below slice for the owners of slices on other clouds, with files for OpenStack beside. What they do
// lives in package comet/controller; here are flags, files and printing.
package sliceverbs
