// Package comettest runs COMET heads inside a test, as net/http/httptest runs web servers: real heads on loopback ports, with
// mutual TLS by certificates of their own making, over one store in a temporary folder.
//
//	heads := comettest.Start(t, 2)
//	client := heads.Client()
//	heads.Stop(0)                                    // the client goes on with the other
//	heads.Set(1, comettest.Status(503).On("readScope").Times(1))
//
// Each head can be stopped and started again at the same address, and made to misbehave as real ones do: hang, go dead, break off, be slow,
// answer 5xx or a web page, show a wrong certificate, or claim that nothing is there. Everything ends with the test.
package comettest
