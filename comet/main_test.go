package comet_test

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/renci-nrig/comet-go/comet/internal/headtest"
)

func TestMain(m *testing.M) {
	headtest.Main()
	goleak.VerifyTestMain(m)
}
