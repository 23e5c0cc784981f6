package scope

import "log/slog"

// Script is an element of the family scripts: a program that the VM runs once in its life.
type Script struct {
	Name string `json:"scriptName"`
	Body Hidden `json:"scriptBody"`
}

// BootScript is the name of the script that runs first.
const BootScript = "bootscript"

// Kind returns "scripts".
func (Script) Kind() string { return "scripts" }

// ElementKey is the script's name.
func (s Script) ElementKey() string { return s.Name }

// Validate checks that the name can be a file's name and that there is a body.
func (s Script) Validate() error {
	if err := fileName("scriptName", s.Name); err != nil {
		return err
	}
	return required("scriptBody", s.Body.Reveal())
}

// validateNew refuses the name of a folder in which deployed guests look for what they have run.
func (s Script) validateNew() error {
	if s.Name == "storage" {
		return &FieldError{"scriptName", "is one that deployed guests take for run already"}
	}
	return nil
}

// LogValue shows the name alone.
func (s Script) LogValue() slog.Value { return slog.GroupValue(slog.String("name", s.Name)) }
