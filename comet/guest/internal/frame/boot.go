package frame

import (
	"os"
	"strings"
)

// BootID tells one start of the machine from another: nothing that was set in the kernel outlives it. It is empty where there is no
// /proc.
func BootID() string {
	id, _ := os.ReadFile("/proc/sys/kernel/random/boot_id")
	return strings.TrimSpace(string(id))
}
