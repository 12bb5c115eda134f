# Runs in the trial's container before training. Installs missing packages only: pip alone would cost seconds.
# New - pachyderm-sdk, the client that downloads the data
python3 -c 'import importlib.metadata as m; [m.version(name) for name in ("pandas", "scikit-learn", "pachyderm-sdk")]' 2>/dev/null ||
  pip install --quiet --disable-pip-version-check "pandas>=2.0" "scikit-learn>=1.3" "pachyderm-sdk==2.12.2"
