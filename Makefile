.PHONY: demo test format corpora

demo:
	./bootstrap demo

test:
	./bootstrap test

format:
	./bootstrap install test
	.venv/bin/ruff check --fix .
	.venv/bin/ruff format .

corpora:  ## rebuild every program from its source and compare; needs the compilers named there
	$(MAKE) -C corpora compare
