# Where install.sh puts things and uninstall.sh finds them; sourced, not run.

venv=${XDG_DATA_HOME:-$HOME/.local/share}/msauth/venv
bin=$HOME/.local/bin
made_bin=${XDG_DATA_HOME:-$HOME/.local/share}/msauth/made-bin # there if we made it
programs='git-credential-msauth msauth msauth-token msauth-run'
