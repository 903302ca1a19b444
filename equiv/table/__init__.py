"""The `.dev` language: a device's parser as a parse graph or TCAM rows (`specs/dev-language.md`).

In: text. Out: the inert `model.Table`, a machine that proofs run on, a concrete interpreter, text, a graph to draw.

`syntax` (grammar in `dev.lark`), `build` with `scope`, `expressions` and `states`, and `check` make the model that
`parse` hands out. `code` makes explicit what the model implies, `symbolic` runs it over terms with `terms`, `liveness`,
`order` and `outcome`; `interpret` runs the model itself over integers. `layout` and `observe` say where outputs live.
"""
