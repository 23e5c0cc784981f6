package etcdtest_test

import (
	"testing"

	"github.com/renci-nrig/comet-go/comet/server/etcdtest"
)

func TestATestMayEndWhileAMemberIsCutOff(t *testing.T) {
	etcdtest.StartApart(t, 3).CutOff(0)
}
