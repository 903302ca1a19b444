"""The running Linux kernel as the judge: `bpf(2)` loads a program and `BPF_PROG_TEST_RUN` runs it on one packet."""
