package block_test

import (
	"fmt"

	"github.com/renci-nrig/comet-go/comet/guest/internal/block"
)

func ExampleSet() {
	hosts := []byte("127.0.0.1 localhost\n")
	hosts, err := block.Set(hosts, block.NEuca("comet"), []string{"10.0.0.1 workers-0", "10.0.0.2 workers-1"}, block.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Print(string(hosts))
	// Output:
	// 127.0.0.1 localhost
	// ### BEGIN NEuca comet modifications - DO NOT EDIT BETWEEN THESE LINES. ###
	// 10.0.0.1 workers-0
	// 10.0.0.2 workers-1
	// ### END NEuca comet modifications - DO NOT EDIT BETWEEN THESE LINES. ###
}
