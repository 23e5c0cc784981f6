package quickstart

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/renci-nrig/comet-go/cmd/internal/cli"
	"github.com/renci-nrig/comet-go/comet"
	"github.com/renci-nrig/comet-go/scope"
	"github.com/renci-nrig/comet-go/tlsconfig"
)

// showTokens shows what each token lets one see, and that the others' are refused.
func (s *Story) showTokens(ctx context.Context) error {
	t := cli.Table{Header: []string{"WITH", "ONE SEES"}}
	look := func(who string, token scope.Token, want int) error {
		entries, err := s.conn.List(ctx, s.slice.ID, scope.Family{}, token)
		if err == nil && len(entries) != want {
			err = fmt.Errorf("%d entries, not %d", len(entries), want)
		}
		t.Rows = append(t.Rows, []string{who, summary(entries)})
		return err
	}
	err := look("the slice's read token", s.tokens.Read, 2*len(s.vms))
	for _, v := range s.vms {
		err = errors.Join(err, look("the read token of "+v.HostName, v.unit.Tokens.Read, 5))
	}
	err = errors.Join(err, look("any other token", scope.NewToken(), 0))
	if err != nil {
		return err
	}
	s.tell("each read token shows its own entries and no others")
	s.Show(t)
	return s.seeRefusals(ctx)
}

// summary counts entries by family.
func summary(entries []comet.Entry) string {
	var families []string
	count := map[string]int{}
	for _, e := range entries {
		f := e.Name.Family.String()
		if count[f] == 0 {
			families = append(families, f)
		}
		count[f]++
	}
	if len(families) == 0 {
		return "nothing"
	}
	for i, f := range families {
		if count[f] > 1 {
			families[i] = fmt.Sprintf("%s (%d)", f, count[f])
		}
	}
	return strings.Join(families, ", ")
}

// seeRefusals tries what must not go.
func (s *Story) seeRefusals(ctx context.Context) error {
	v := s.vms[0]
	own := scope.Name{Context: s.slice.ID, Family: scope.FamilyScripts, Key: v.ReservationID}
	value := scope.Encode(scope.Script{Name: "bootscript", Body: scope.Hide("true")})
	_, err := s.conn.Write(ctx, own, scope.Tokens{Read: v.unit.Tokens.Read, Write: scope.NewToken()}, value)
	if !errors.Is(err, comet.ErrUnauthorized) {
		return fmt.Errorf("a write with a wrong write token was not refused: %v", err)
	}
	ca, err := os.ReadFile(s.certs.CA)
	if err != nil {
		return err
	}
	roots, err := tlsconfig.ParseCA(ca, tlsconfig.Password{})
	if err != nil {
		return err
	}
	stranger, err := comet.New(s.heads[0].url, tlsconfig.Client(roots, nil))
	if err != nil {
		return err
	}
	defer stranger.Close()
	if _, err = stranger.Write(ctx, own, scope.NewTokens(), value); !errors.Is(err, comet.ErrUnauthorized) {
		return fmt.Errorf("a new entry without a client certificate was not refused: %v", err)
	}
	s.tell("refused: a write with another write token; a new entry without a client certificate")
	return nil
}

// stopHead stops one of the heads and sees that it is gone. Whoever used it goes on with the other.
func (s *Story) stopHead(ctx context.Context) error {
	if err := s.heads[0].stop(); err != nil {
		return err
	}
	alone, err := comet.New(s.heads[0].url, nil, comet.WithTrust(s.conn.Trust))
	if err != nil {
		return err
	}
	defer alone.Close()
	if _, err := alone.Version(ctx); !errors.Is(err, comet.ErrUnavailable) {
		return fmt.Errorf("it still answers: %v", err)
	}
	s.tell("head %s stopped; the other goes on", s.heads[0].url)
	return nil
}
