package identity

import (
	"os"
	"strings"
)

// productUUID is what the firmware says, which only root may read.
const productUUID = "sys/class/dmi/id/product_uuid"

// Machine returns what tells the machine whose files lie below root from others that were made of the same image: the UUID that its
// hypervisor or maker gave it. It is empty where nobody knows it.
func Machine(root *os.Root) string {
	data, err := readFile(root.OpenFile(productUUID, readOnly, 0))
	if err != nil {
		return ""
	}
	return strings.ToLower(strings.TrimSpace(string(data)))
}
