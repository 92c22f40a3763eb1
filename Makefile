# One line a verb. `make lab` and `make test` are all a newcomer needs; each sets up .venv first where it must.
PYTHON ?= python3
VENV   := .venv/bin/python
WINDOW  = $(if $(filter none,$(BROWSER)),--no-browser) $(if $(PORT),--port $(PORT))

help:    ; @echo "make lab | test | test-slow | lessons | present LESSON=01 | slides | site | page | lint | doctor | mutants | tiny-sd | clean"
lab:     ; @"$(PYTHON)" -m diffusion_lab lab $(WINDOW)
present: ; @"$(PYTHON)" -m diffusion_lab present $(LESSON) $(WINDOW)
slides:  ready ; @$(VENV) -m diffusion_lab slides $(LESSON)
test:    lint ; @OMP_NUM_THREADS=1 tests/offline $(VENV) -m pytest -n 2 --dist loadfile --no-loadscope-reorder
test-slow: ready ; @tests/offline $(VENV) -m pytest -m slow
lint:    ready ; @$(VENV) -m ruff check .
site:    ready ; @tests/offline $(VENV) docs/site/build.py $(if $(ADDRESS),--address $(ADDRESS))
page:    ready ; @tests/offline $(VENV) docs/site/page.py
lessons: ready ; @$(VENV) lessons/text/build.py $(LESSON)
mutants: ready  # small mistakes planted in a ROOM (or in all), a SAMPLE of them: which do its tests notice?
	@$(VENV) -m pip install -q mutmut==3.8.1 coverage==7.17.3
	@OMP_NUM_THREADS=1 tests/offline $(VENV) $(if $(JS),tests/mutants_js.py,tests/mutants.py $(ROOM) $(if $(SAMPLE),--sample $(SAMPLE)))
doctor:  ; @"$(PYTHON)" -m diffusion_lab setup && $(VENV) -m diffusion_lab doctor
tiny-sd: ready ; @$(VENV) -m diffusion_lab train tiny-sd
clean:   ; rm -rf .venv build dist *.egg-info .pytest_cache .ruff_cache .hypothesis
ready:   ; @"$(PYTHON)" -m diffusion_lab setup --test

.PHONY: help lab present slides site page test test-slow lint lessons mutants doctor tiny-sd clean ready
