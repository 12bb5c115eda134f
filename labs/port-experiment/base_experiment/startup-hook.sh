# Runs in the trial's container before training. Installs missing packages only: pip alone would cost seconds.
python3 -c 'import importlib.metadata as m; [m.version(name) for name in ("pandas", "scikit-learn")]' 2>/dev/null ||
  pip install --quiet --disable-pip-version-check "pandas>=2.0" "scikit-learn>=1.3"
