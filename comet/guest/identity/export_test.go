package identity

// Labels and FileSystems are those of config drives, which tests make for themselves.
var (
	Labels      = &labels
	FileSystems = &fileSystems
)
