package identity_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/comet/guest/identity"
)

var (
	nothing = documents{}
	errDown = errors.New("the network is down")
)

// down is a source that does not answer.
func down(name string) source {
	return source{name, func(context.Context) (identity.Identity, error) { return identity.Identity{}, errDown }}
}

func TestTheFirstSourceCounts(t *testing.T) {
	file := inFile(t, ini(t))
	cloud := ec2.and(documents{osMetadata: metadata(t)}).cloud(t)
	drive := identity.ConfigDrive{Folder: documents{osMetadata: metadata(t), driveFacts: driveEC2}.folder(t)}
	script := inFile(t, "#!/bin/sh\n")

	places := identity.Places{File: file, Metadata: cloud, Drive: drive}
	assert.Equal(t, []identity.Source{file, cloud, drive}, places.Sources())
	assert.Equal(t, []identity.Source{identity.Metadata{}, identity.ConfigDrive{}}, identity.Places{}.Sources())

	for name, tt := range map[string]struct {
		sources []identity.Source
		key     string
	}{
		"the file":                  {[]identity.Source{file, cloud, drive}, iniKey},
		"the cloud":                 {[]identity.Source{script, cloud, drive}, metaKey},
		"the drive":                 {[]identity.Source{script, nothing.cloud(t), drive}, metaKey},
		"after one that fails":      {[]identity.Source{down("a"), file}, iniKey},
		"before one that is broken": {[]identity.Source{file, inFile(t, "[global]\nslice_id=\x01")}, iniKey},
	} {
		assert.Equal(t, tt.key, found(t, tt.sources...).UserData.ReservationID.String(), name)
	}
}

// Who the VM is comes from one source, its addresses from any.
func TestAddressesOfSeveralSources(t *testing.T) {
	file := inFile(t, ini(t))
	drive := identity.ConfigDrive{Folder: documents{driveFacts: driveEC2}.folder(t)}
	self := found(t, file, ec2.cloud(t), drive)
	assert.Equal(t, addr("192.0.2.7"), self.Public)
	assert.Equal(t, addr("10.0.0.7"), self.Private)
	assert.Equal(t, iniKey, self.InstanceID, "its ID comes from the file, whoever else answers")

	self = found(t, file, nothing.cloud(t), drive)
	assert.False(t, self.Public.IsValid())
	assert.Equal(t, addr("10.0.0.7"), self.Private)

	self = found(t, drive, file)
	assert.Equal(t, addr("10.0.0.7"), self.Private)

	asked := false
	found(t, file, drive, source{"more", func(context.Context) (identity.Identity, error) {
		asked = true
		return identity.Identity{}, errDown
	}})
	assert.False(t, asked, "nothing more is to be learned")
}

// A cloud that does not answer for a moment does not change the address that is published.
func TestAddressesStayInDoubt(t *testing.T) {
	file := inFile(t, ini(t))
	before := found(t, file, ec2.cloud(t))
	search := identity.Search{Before: before, Sources: []identity.Source{file, down("cloud")}}
	self, err := search.Find(t.Context())
	require.NoError(t, err)
	assert.Equal(t, before, self)

	search.Sources = []identity.Source{file, nothing.cloud(t)} // it says that there is none
	self, err = search.Find(t.Context())
	require.NoError(t, err)
	assert.False(t, self.Public.IsValid())

	search.Sources = []identity.Source{down("cloud"), inFile(t, strings.Replace(ini(t), iniKey, "another", 1))}
	self, err = search.Find(t.Context())
	require.NoError(t, err)
	assert.False(t, self.Public.IsValid(), "a clone is another VM")
}

func TestBrokenIsToBeMendedNotPassedOver(t *testing.T) {
	_, err := find(t, down("a"), inFile(t, "[global]\nslice_id=\x01"), inFile(t, ini(t)))
	require.ErrorIs(t, err, identity.ErrBroken)
	require.ErrorIs(t, err, errDown)
	var none *identity.NotFoundError
	require.ErrorAs(t, err, &none)
	assert.Len(t, none.Reasons, 2)
	assert.Contains(t, err.Error(), "nobody says who this VM is: a: the network is down; file ")

	_, err = find(t)
	require.EqualError(t, err, "nobody is asked who this VM is")
	_, err = find(t, nothing.cloud(t))
	require.ErrorIs(t, err, identity.ErrAbsent)
}

func TestWaitingForTheNetwork(t *testing.T) {
	self := found(t, inFile(t, ini(t)))
	synctest.Test(t, func(t *testing.T) {
		var looks []time.Duration
		start := time.Now()
		late := source{"cloud", func(context.Context) (identity.Identity, error) {
			looks = append(looks, time.Since(start))
			switch n := len(looks); {
			case n < 3:
				return identity.Identity{}, errDown
			case n < 20:
				return identity.Identity{}, []error{errDown, errors.New("no route")}[n%2]
			}
			return self, nil
		}}
		var told []string
		search := identity.Search{Sources: []identity.Source{late, down("drive")}, Tell: func(err error) { told = append(told, err.Error()) }}
		got, err := search.Wait(t.Context())
		require.NoError(t, err)
		assert.Equal(t, self, got)
		assert.Equal(t, []string{"cloud: the network is down", "drive: the network is down", "cloud: no route"}, told)

		require.Len(t, looks, 20)
		whole := time.Second
		different := map[time.Duration]bool{}
		for i, at := range looks[1:] {
			pause := at - looks[i]
			assert.GreaterOrEqual(t, pause, whole/2)
			assert.LessOrEqual(t, pause, whole)
			whole = min(2*whole, 30*time.Second)
			different[pause] = true
		}
		assert.Greater(t, len(different), 10, "there is jitter")
	})
}

func TestWaitingEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 365*24*time.Hour)
		defer cancel()
		looks := 0
		search := identity.Search{Most: time.Hour, Sources: []identity.Source{source{"cloud", func(context.Context) (identity.Identity, error) {
			looks++
			return identity.Identity{}, errDown
		}}}}
		_, err := search.Wait(ctx)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.ErrorIs(t, err, errDown)
		assert.NotContains(t, err.Error(), "\n")
		assert.Greater(t, looks, 365*24)
	})
}
