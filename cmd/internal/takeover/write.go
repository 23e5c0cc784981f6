package takeover

import (
	"context"
	"fmt"

	"github.com/renci-nrig/comet-go/comet/server"
)

// Limits of a store for one batch; zero is none.
type Limits struct{ Changes, Bytes int }

// Write creates the entries that are not in the store yet, and returns how many those were: all at once or, where the store has limits,
// part by part. It may be repeated.
func Write(ctx context.Context, store server.Store, limits Limits, entries []server.Change) (added int, err error) {
	var part []server.Change
	bytes := 0
	apply := func() error {
		if len(part) > 0 {
			_, err := store.Apply(ctx, part...)
			if err != nil && added > 0 {
				err = fmt.Errorf("%w; %d entries were added before, and a repeat goes on", err, added)
			}
			if err != nil {
				return err
			}
		}
		added += len(part)
		part, bytes = nil, 0
		return nil
	}
	for _, e := range entries {
		_, there, err := store.Read(ctx, e.Name, e.Tokens.Read)
		if err != nil {
			return added, err
		}
		if there {
			continue
		}
		if limits.Changes > 0 && len(part) == limits.Changes || limits.Bytes > 0 && bytes+len(e.Value) > limits.Bytes {
			if err := apply(); err != nil {
				return added, err
			}
		}
		part = append(part, e)
		bytes += len(e.Value)
	}
	return added, apply()
}
