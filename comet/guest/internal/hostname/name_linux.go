package hostname

import "golang.org/x/sys/unix"

func setName(name string) error { return unix.Sethostname([]byte(name)) }
