@rem The shell of npm on Windows has no exec, with which package.json lets signals reach the server.
@%*
