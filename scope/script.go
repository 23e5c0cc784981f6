package scope

import (
	"log/slog"
	"strings"
)

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
	if err := required("scriptName", s.Name); err != nil {
		return err
	}
	if strings.ContainsAny(s.Name, "/\x00\n") || strings.HasPrefix(s.Name, ".") || strings.HasPrefix(s.Name, "-") || len(s.Name) > 200 {
		return &FieldError{"scriptName", "cannot be a file's name"}
	}
	return required("scriptBody", s.Body.Reveal())
}

// LogValue shows the name alone.
func (s Script) LogValue() slog.Value { return slog.GroupValue(slog.String("name", s.Name)) }
