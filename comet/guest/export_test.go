package guest

import "context"

// Look makes a pass without asking a head.
func (g *Guest) Look(ctx context.Context) Status { st, _ := g.pass(ctx, g.runner.Apply, 0); return st }
