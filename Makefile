.PHONY: demo test format grammars readme picture explanations corpora flow-dissector

demo:
	./bootstrap demo

test:
	./bootstrap test

format:
	./bootstrap install test
	.venv/bin/ruff check --fix .
	.venv/bin/ruff format .

grammars:  ## work out the parser tables that are kept beside each grammar
	.venv/bin/python -m equiv.grammar equiv/table/dev.lark equiv/p4/p4.lark equiv/condition/condition.lark

readme:  ## show in README.md what the commands there print; look at the diff
	.venv/bin/python -m tests.test_documents

picture:  ## draw the terminal that README.md shows; look at it
	.venv/bin/python -m tests.picture

explanations:  ## put the differences of all broken twins into words anew; look at the diff
	.venv/bin/python -m tests.corpora.test_verdicts

corpora:  ## rebuild every program from its source and compare; needs the compilers named there
	$(MAKE) -C corpora compare

LINUX_SOURCE = /usr/src/linux-source-6.1.tar.xz

flow-dissector:  ## build Linux's flow dissector from Debian's kernel source and check it against the tables of it
	.venv/bin/python -m equiv bench flow-dissector --linux-source $(LINUX_SOURCE) --only '*clang-16 -O2 v3' --only 'tables/graph.dev=rows.dev' --timeout 600
