package Test::IM::Node;

# Scripts of t/demo, run by node: each line "ok NAME" or "not ok NAME" is a
# test, "# TEXT" tells more of the one before.  "do ORDER" calls a function and
# answers with a line, "end" is the last one.

use strict;
use warnings;

use IPC::Open2 qw(open2);
use Test::More;
use Test::IM;

our $DIR = "$Test::IM::ROOT/t/demo";


# nothing if node is there, else the reason to skip a file; CI has no reason

sub missing {
    my ($version) = qx(node --version 2>/dev/null) =~ /^v(\d+)/;
    return if ($version // 0) >= 18;
    die "no node 18 or later\n" if ($ENV{CI} // '') eq 'true';
    return 'no node 18 or later';
}


# node takes a module by the end of its name, and docs/demo has no package.json

sub module {
    my ($t, $name) = @_;
    return $t->write_file("$name.mjs",
                          Test::IM::slurp("$Test::IM::ROOT/docs/demo/$name.js"));
}


sub run {
    my ($script, $seconds, $args, %orders) = @_;
    my $pid = open2(my $out, my $in, 'node', "$DIR/$script", @$args);
    my $ended = 0;

    local $SIG{ALRM} = sub { kill KILL => $pid };
    alarm($seconds * $Test::IM::SCALE);

    while (my $line = <$out>) {
        chomp $line;
        if ($line =~ /^(not )?ok (.*)/) {
            ok(!$1, $2);
        } elsif ($line =~ /^# (.*)/) {
            diag($1);
        } elsif ($line =~ /^do (\w+)/ && $orders{$1}) {
            print {$in} ($orders{$1}->() // ''), "\n";
            $in->flush;
        } elsif ($line eq 'end') {
            $ended = 1;
        } else {
            diag("$script: $line");
        }
    }

    waitpid $pid, 0;
    alarm 0;
    ok($ended, "$script came to its end") or diag("status $?");
}


1;
