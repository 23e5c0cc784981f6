package contents

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
)

// Write writes the file of an export. It stops, without the last line, at the first error.
func Write(ctx context.Context, w io.Writer, h Header, from Entries) error {
	b := bufio.NewWriterSize(w, 64<<10)
	sum := sha256.New()
	line := json.NewEncoder(io.MultiWriter(b, sum))
	if err := line.Encode(h.line()); err != nil {
		return err
	}
	entries := 0
	for r, err := range from {
		if err == nil && ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		if err == nil {
			err = line.Encode(r.line())
		}
		if err != nil {
			return err
		}
		entries++
	}
	last := trailerLine{Entries: &entries, SHA256: hex.EncodeToString(sum.Sum(nil))}
	if err := json.NewEncoder(b).Encode(last); err != nil {
		return err
	}
	return b.Flush()
}
