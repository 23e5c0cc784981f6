package vms

import "net/http"

// Told is what a VM is told at the metadata address, as EC2 and OpenStack do it. What is empty is not there. It serves one VM: to tell
// another something else, forward its Metadata elsewhere.
type Told struct {
	UserData  string
	PublicIP  string
	LocalIP   string
	OpenStack string // meta_data.json
}

func (t Told) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	text := map[string]string{
		"/latest/user-data":                t.UserData,
		"/latest/meta-data/public-ipv4":    t.PublicIP,
		"/latest/meta-data/local-ipv4":     t.LocalIP,
		"/openstack/latest/meta_data.json": t.OpenStack,
	}[r.URL.Path]
	if text == "" {
		http.NotFound(w, r)
		return
	}
	w.Write([]byte(text))
}
