// Package am does what an aggregate manager does with COMET: it puts down what each VM of a slice needs, under tokens of that VM, changes
// it element by element, and takes it away again.
//
//	tokens, err := am.OpenTokens(ctx, path, unit)        // on disk before anything is put down with them
//	families, err := am.Generate(properties)             // what the VM needs, without any I/O
//	err = am.Publish(ctx, client, unit, families)        // [PublishSlice] for many VMs
//	replaced, err := am.Add(ctx, client, unit, scope.Route{…}, 0)
//	removed, err := am.Remove(ctx, client, unit)         // and [RemoveFromSlice]
//
// Everything may be repeated. Reading and writing of files belongs to comet/orca, flags and printing to cmd/comet-am.
package am
