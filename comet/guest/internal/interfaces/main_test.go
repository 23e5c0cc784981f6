package interfaces_test

import (
	"testing"

	"github.com/renci-nrig/comet-go/testdata/netns"
)

func TestMain(m *testing.M) { netns.Main(m) }
