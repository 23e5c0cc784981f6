// Package frame holds what all modules of the guest have in common: they look at the machine, plan, and only then is anything
// changed.
//
// A [Module] compares what is wanted with what is there and returns a [Plan]: steps that are described but not made, and notes on
// what it left out, doubts or waits for. The [Runner] shows plans, or makes their steps, module after module in the order given; one
// that fails is tried again after a pause that grows, and stops no other. What is shown is what is made: there is no second way.
//
// A module that is [Slow] works beside those that are not.
//
// A [Machine] is what modules look at and change: files below a root folder, commands, and the state that the guest keeps of one
// instance. With a root other than / nothing but files below it is touched; whatever needs more says [ErrNeedsRoot].
//
// What the modules do is not here but in a package for each of them.
package frame
