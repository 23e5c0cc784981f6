// Package scripts runs the scripts of a VM, each once per name and content.
//
// The script called bootscript comes first, the others follow in the order of the list; one runs at a time, in the background. A journal
// is written, and synced, before a script begins and when it has ended; what is in no journal is pending. A script that fails is reported
// and not run again, and those behind it go on. One that was cut short, as by a crash, is reported, and run again where the settings
// say so, up to three runs. One whose time is over is ended with all that it started. A script of the same name with another content is
// another script. None begins while something keeps them waiting, such as users that cannot be made yet; whoever says so sees to an end.
//
// Each has a folder of its own below the state of the instance, which only root may enter: the script, its output up to a bound in
// NAME.log, that of the run before in NAME.log.1, and what else it leaves in its working directory. A body without #! is one for /bin/sh;
// any other is given to the interpreter that it names, so that a /var without exec does no harm. It gets an environment of its own, no
// input and the umask 022.
//
// Between the guest and a script stands a few lines of shell that the guest may leave behind: it ends, is upgraded or killed, and
// its successor finds the script by its process, or how it ended by a file. Where systemd runs the machine, this is a transient
// unit, free of the guest's own confinement; with one before version 239 scripts wait. Elsewhere it is a session of its own. Programs that a script leaves running stay.
//
// Of scripts that older guest tools have run, which leave the script itself as a mark, it is noted that they ran before.
package scripts
