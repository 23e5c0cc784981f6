package guest

import (
	"context"
	"errors"
	"time"

	"github.com/renci-nrig/comet-go/comet/guest/internal/frame"
	"github.com/renci-nrig/comet-go/comet/guest/internal/known"
	"github.com/renci-nrig/comet-go/comet/orca"
	"github.com/renci-nrig/comet-go/scope"
)

// Told is what the VM is told: by its aggregate manager about itself, and by the other VMs about them. What is wrong with an element
// leaves that one out, with a note. Some of it is secret: it is for root to see.
type Told struct {
	Users      []scope.User      `json:"users,omitempty"`
	Interfaces []scope.Interface `json:"interfaces,omitempty"`
	Storage    []scope.Storage   `json:"storage,omitempty"`
	Routes     []scope.Route     `json:"routes,omitempty"`
	Scripts    []scope.Script    `json:"scripts,omitempty"`
	Hosts      []scope.Host      `json:"hosts,omitempty"`
	PubKeys    []string          `json:"pubkeys,omitempty"`
	Notes      []Note            `json:"notes,omitempty"`
	Before     time.Time         `json:"-"` // with an error, here or of a list: when this was kept; zero where nothing was known

	Unshown map[string]error `json:"-"` // by list, such as "hosts": why nobody knows now what is in it
}

// Told asks a head of each context what the VM is told. With an error, it is what was known before.
func (g *Guest) Told(ctx context.Context) (t Told, err error) {
	err = g.ask(ctx)
	hosts, failed := g.directory.Hosts()
	t.Hosts, t.PubKeys = hosts, g.pubKeys.Lines()
	err = errors.Join(err, failed,
		tell(g.users, &t.Users, &t.Notes),
		tell(g.interfaces, &t.Interfaces, &t.Notes),
		tell(g.storage, &t.Storage, &t.Notes),
		tell(g.routes, &t.Routes, &t.Notes),
		tell(g.scripts, &t.Scripts, &t.Notes))
	t.Unshown = g.unshown()
	if err != nil || len(t.Unshown) > 0 {
		t.Before = g.before
	}
	return t, err
}

// tell takes what a source says. That nobody has said anything is nothing wrong.
func tell[E scope.Element](source frame.Source[E], into *[]E, notes *[]Note) error {
	w, err := source()
	if errors.Is(err, frame.ErrUnknown) {
		return nil
	}
	*into, *notes = w.Elements, append(*notes, w.Notes...)
	return err
}

// toldOf names what a module that acts on the machine itself is told to act on.
func (g *Guest) toldOf(module string) []string {
	switch module {
	case "users":
		return keysOf(g.users)
	case "interfaces":
		return keysOf(g.interfaces)
	case "storage":
		return keysOf(g.storage)
	case "routes":
		return keysOf(g.routes)
	case "scripts":
		return keysOf(g.scripts)
	}
	return nil
}

func keysOf[E scope.Element](source frame.Source[E]) (keys []string) {
	w, err := source()
	if err != nil {
		return nil
	}
	for _, e := range w.Elements {
		keys = append(keys, frame.OneLine(e.ElementKey()))
	}
	return keys
}

// sources are where the modules learn what is wanted on this VM alone.
type sources struct {
	users      frame.Source[scope.User]
	interfaces frame.Source[scope.Interface]
	storage    frame.Source[scope.Storage]
	routes     frame.Source[scope.Route]
	scripts    frame.Source[scope.Script]
}

// sourcesOf returns those of the VM's own context, or, where its user data has no heads, of the user data.
func (g *Guest) sourcesOf(own *known.Context) sources {
	if own == nil {
		return sources{
			inUserData[scope.User](g.self, scope.FamilyUsers),
			inUserData[scope.Interface](g.self, scope.FamilyInterfaces),
			inUserData[scope.Storage](g.self, scope.FamilyStorage),
			inUserData[scope.Route](g.self, scope.FamilyRoutes),
			inUserData[scope.Script](g.self, scope.FamilyScripts),
		}
	}
	return sources{
		known.Wanted[scope.User](own, scope.FamilyUsers),
		known.Wanted[scope.Interface](own, scope.FamilyInterfaces),
		known.Wanted[scope.Storage](own, scope.FamilyStorage),
		known.Wanted[scope.Route](own, scope.FamilyRoutes),
		known.Wanted[scope.Script](own, scope.FamilyScripts),
	}
}

// inUserData returns the source of a family that user data without heads has as a section of its own.
func inUserData[E scope.Element](self orca.UserData, family scope.Family) frame.Source[E] {
	return func() (w frame.Wanted[E], err error) {
		section := self.Section(family.String())
		if len(section) == 0 && hasTokens(self) {
			return w, frame.ErrUnknown // heads would say so, were one named
		}
		w.Whole = !hasTokens(self)
		for _, kv := range section {
			e, err := orca.ParseElement(family, kv.Key, kv.Value.Reveal())
			if err == nil {
				err = e.Validate()
			}
			if err != nil {
				w.Whole = false
				w.Notes = append(w.Notes, frame.Note{Kind: frame.LeftOut, About: frame.OneLine(family.String() + " " + kv.Key), Why: frame.OneLine(err.Error())})
				continue
			}
			w.Elements = append(w.Elements, e.(E)) // of that family there are no others
		}
		return w, nil
	}
}
