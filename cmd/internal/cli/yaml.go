//go:build !comet_small

package cli

import "sigs.k8s.io/yaml"

func marshalYAML(data any) ([]byte, error) { return yaml.Marshal(data) }
