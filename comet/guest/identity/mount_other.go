//go:build !linux

package identity

// whileMounted mounts nothing: only Linux runs on a cloud's VMs.
func whileMounted(string, []string, func(string) error) error {
	return absent("config drives are mounted on Linux alone")
}
