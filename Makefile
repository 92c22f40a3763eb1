# One line a verb. `make lab` and `make test` are all a newcomer needs; each sets up .venv first where it must.
PYTHON ?= python3
VENV   := .venv/bin/python
READY  := $(PYTHON) -m diffusion_lab setup --test

help:    ; @echo "make lab | test | lessons | lint | doctor | clean        (README.md says what each does)"
lab:     ; @$(PYTHON) -m diffusion_lab lab $(if $(filter none,$(BROWSER)),--no-browser) $(if $(PORT),--port $(PORT))
test:    lint ; @tests/offline $(VENV) -m pytest
lint:    ready ; @$(VENV) -m ruff check .
lessons: ready ; @$(VENV) lessons/text/build.py $(LESSON)
doctor:  ; @$(PYTHON) -m diffusion_lab setup && $(VENV) -m diffusion_lab doctor
clean:   ; rm -rf .venv build dist *.egg-info .pytest_cache .ruff_cache .hypothesis
ready:   ; @$(READY)

.PHONY: help lab test lint lessons doctor clean ready
