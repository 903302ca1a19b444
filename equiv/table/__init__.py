"""The `.dev` language: a device's parser as a parse graph or TCAM rows (`specs/dev-language.md`).

`grammar` and `parse` read text into the inert `model`; `symbolic` is the machine that proofs run on; `interpret`
executes concretely; `printer` writes a model back as text.
"""
