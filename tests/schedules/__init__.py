"""All interleavings of the real routes on a small table, step by step.

An **actor** (a client, a device, DynamoDB's TTL) is a function. What it does to the world it does in **steps**: one
call of the table, one push, one look at what was pushed. Between two steps of one actor any other may go.

The explorer needs no threads. An actor is deterministic but for what its steps return, so it is played again from its
start with the outcomes it has had so far, up to the first step that has none yet; that is what it does next. The
explorer makes each possible step on a copy of the world, notes the outcome, and goes on from there, depth first. Two
orders of steps that leave the same world and gave every actor the same outcomes have the same future, which is
explored once. So millions of schedules are covered in seconds, and no outcome is left out.

A step may also fail, for actors that a scenario says may: the invocation dies before it, the table refuses it, it is
made and its reply is lost, or the SDK makes it twice because the first reply was lost.

A schedule that breaks an invariant is printed as it ran, one step a line.

What this cannot see: a query is atomic here, while DynamoDB may show an item and miss an older one that was written
during the query; the clocks of the functions agree, and stand still but for the pauses of a scenario; a push arrives
as soon as it is made; calls side by side are made in one order or its reverse, but where a test takes their steps in
every order; no more faults than a scenario allows.
"""
