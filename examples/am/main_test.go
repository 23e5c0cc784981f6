package main

import (
	"bytes"
	"io/fs"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/comet/orca"
)

func TestExample(t *testing.T) {
	s := newSite(t)
	h, err := open(s.config, s.unit)
	require.NoError(t, err)
	saved, userData := filepath.Join(s.dir, "master.saved"), filepath.Join(s.dir, "master.ini")
	var out bytes.Buffer
	require.NoError(t, h.run(t.Context(), &out, "join", saved, userData))
	require.NoError(t, h.run(t.Context(), &out, "join", saved, userData), "it may be repeated")
	vm := tokens(t, saved)
	assert.Equal(t, 5, s.shown(t, vm.Read))
	told, err := orca.LoadUserData(userData)
	require.NoError(t, err)
	assert.Equal(t, vm.Read, told.ReadToken)
	assert.Equal(t, s.slice, told.Slice.Tokens)

	missing := filepath.Join(s.dir, "none.saved")
	require.ErrorIs(t, h.run(t.Context(), &out, "leave", missing, userData), fs.ErrNotExist, "it can remove nothing")
	require.NoFileExists(t, missing)
	require.NoError(t, h.run(t.Context(), &out, "leave", saved, userData))
	assert.Zero(t, s.shown(t, vm.Read))
	assert.Zero(t, s.shown(t, s.slice.Read))
	require.Error(t, h.run(t.Context(), &out, "dance", saved, userData))
	const ifaces = "master: eth0.3017.fe:16:3e:00:26:cb eth1.3018.fe:16:3e:00:10:02 \n"
	assert.Equal(t, ifaces+ifaces+"master: 5 entries of its own and 1 of its slice removed\n", out.String())
}
