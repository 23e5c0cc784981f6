package controller_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/comet"
	"github.com/renci-nrig/comet-go/comet/comettest"
	"github.com/renci-nrig/comet-go/comet/controller"
)

// Whatever goes wrong, no token is in what is logged or returned.
func TestFailuresShowNoToken(t *testing.T) {
	for name, fault := range map[string]comettest.Fault{
		"well":             comettest.Status(200).On("nothing"),
		"refuses writes":   comettest.BadCertificate().On("writeScope"),
		"fails":            comettest.Status(500).On("writeScope", "deleteScope"),
		"repeats":          comettest.Answer(400, "application/json", "no JSON").On("readScope"),
		"hangs":            comettest.Hang().On("writeScope"),
		"breaks off":       comettest.Cut(-1).On("readScope", "deleteScope"),
		"resets":           comettest.Reset().On("deleteScope"),
		"is no COMET head": comettest.Page(200),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			log := slog.New(slog.NewJSONHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug}))
			heads, s := comettest.Start(t, 1), demo(t)
			client := heads.Client(quick(comet.WithLogger(log))...)
			tokens, file := open(t, s)
			heads.Set(0, fault)
			c := controller.New(client, both)
			show(&out, created(c.Create(t.Context(), file, s)))
			show(&out, deleted(c.Delete(t.Context(), file)))
			path := filepath.Join(t.TempDir(), "tokens.json")
			extended, err := c.Extend(t.Context(), path, s, tokens.Read)
			show(&out, err)
			show(&out, deleted(c.Withdraw(t.Context(), file, s.VMs[0].ReservationID)))
			status, err := c.Show(t.Context(), s, tokens)
			show(&out, err)
			fmt.Fprintf(&out, "%v %+v %#v %+v", extended, extended, extended, status)
			heads.Stop(0)
			show(&out, created(c.Create(t.Context(), file, s)))
			ended, cancel := context.WithCancel(t.Context())
			cancel()
			show(&out, deleted(c.Delete(ended, file)))
			require.NoError(t, client.Close()) // ends who might still log
			fmt.Fprintf(&out, "%v %+v %#v %v", tokens, tokens, tokens, c.Access(s, tokens, s.VMs[0]).Properties())

			require.Contains(t, out.String(), "no head answered")
			for _, vm := range s.VMs {
				pair := tokens.Of(vm.ReservationID)
				for _, secret := range []string{pair.Read.Reveal(), pair.Write.Reveal()} {
					assert.NotContains(t, out.String(), secret)
					assert.NotContains(t, out.String(), url.QueryEscape(secret))
				}
			}
		})
	}
}

func show(w io.Writer, err error) { fmt.Fprintf(w, "%v %+v %#v\n", err, err, err) }
