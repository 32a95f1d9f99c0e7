package Bench::Report;

# What was measured, as Markdown and as a picture.

use strict;
use warnings;

use List::Util qw(max);
use POSIX qw(strftime);

use Bench::Compare;
use Bench::Site;

my $MARK = '<!-- %s -->';


# the parts of a document that document() wrote
sub parts {
    my ($file) = @_;
    my $text = Bench::Site::slurp($file);
    my %part;
    while ($text =~ /^<!-- (compare|curves) -->\n(.*?)^<!-- end -->\n/msg) {
        $part{$1} = $2;
    }
    return %part;
}


sub document {
    my (%part) = @_;
    my $text = <<"MD";
# Benchmarks

Written by `make bench` (`t/bench/run`), which installs what it needs, starts
every system on a Redis of its own, measures and writes this page. How the
figures come about is said at the end.

MD
    for my $name (qw(compare curves)) {
        next unless defined $part{$name};
        $text .= sprintf("$MARK\n", $name) . $part{$name} . sprintf("$MARK\n\n", 'end');
    }
    return $text . method();
}


# Markdown as it is printed on a terminal
sub plain {
    my ($text) = @_;
    $text =~ s/^!\[.*\n//mg;
    return $text;
}


sub num {
    my ($n) = @_;
    $n = sprintf '%.0f', $n;
    1 while $n =~ s/^(\d+)(\d{3})/$1,$2/;
    return $n;
}

sub ms { sprintf $_[0] < 10 ? '%.2f' : '%.1f', $_[0] }


# rows of cells, padded so that the source reads as a table too; the first row
# is the heading, cells of numbers are set to the right

sub table {
    my (@rows) = @_;
    my @w = map { my $c = $_; max(3, map { width($_->[$c]) } @rows) } 0 .. $#{ $rows[0] };
    my @left = map { my $c = $_;
        $c == 0 || scalar grep { $_->[$c] =~ /^[*a-z]{3}/i } @rows[1 .. $#rows] } 0 .. $#w;
    my @line = map {
        my $r = $_;
        '| ' . join(' | ', map {
            my $pad = ' ' x ($w[$_] - width($r->[$_]));
            $left[$_] ? "$r->[$_]$pad" : "$pad$r->[$_]"
        } 0 .. $#w) . ' |'
    } @rows;
    splice @line, 1, 0, '|' . join('|', map {
        $left[$_] ? '-' x ($w[$_] + 2) : '-' x ($w[$_] + 1) . ':' } 0 .. $#w) . '|';
    return join('', map { "$_\n" } @line) . "\n";
}

sub width { my $t = shift; utf8::decode($t); return length $t }


sub compare {
    my ($r) = @_;
    my $text = heading("Side by side", sprintf '%d interleaved rounds of %d s',
        $r->{rounds}, $r->{seconds});

    $text .= "![requests per second](benchmarks.svg)\n\n";

    my $plain = grep { $_ eq 'plain' } keys %{ $r->{calls}{page} };
    my @rows = [ 'call', 'req/s', '× best peer', 'asked', '', '% of the limit', 'asked', '',
                 'p99 ms', 'best peer', '', $plain ? '× plain Lua' : () ];
    for my $call (@Bench::Compare::CALLS) {
        my $c = $r->{calls}{$call->{name}};
        push @rows, [ $call->{title}, num($c->{module}{rate}),
            sprintf('%.1f', $c->{times}), "≥ $call->{times}", verdict($c->{met}{times}),
            sprintf('%.0f', $c->{share}), "≥ $call->{share}", verdict($c->{met}{share}),
            ms($c->{module}{p99}), ms($c->{$c->{best}}{p99}), verdict($c->{met}{p99}),
            $plain ? sprintf('%.1f', $c->{times_plain}) : () ];
    }
    $text .= table(@rows);
    $text .= sprintf "**The machine was not quiet:** `return 200` itself varied by a factor of %.1f\n"
        . "between rounds.\n\n", $r->{spread} if $r->{spread} > 1.3;

    for my $call (@Bench::Compare::CALLS) {
        my $c = $r->{calls}{$call->{name}};
        $text .= sprintf "### %s: `%s`, a body of %s bytes\n\n", ucfirst $call->{title},
            $call->{path}, num($r->{body}{$call->{name}});
        my @t = [ 'system', 'req/s', 'min', 'max', 'p50 ms', 'p99 ms', '× best peer',
                  '% of the limit', 'errors' ];
        for my $kind (@Bench::Compare::SYSTEMS) {
            my $s = $c->{$kind};
            push @t, [ $Bench::Compare::TITLE{$kind}, map({ num($s->{$_}) } qw(rate min max)),
                ms($s->{p50}), ms($s->{p99}),
                sprintf('%.2f', $s->{times}), sprintf('%.0f', $s->{share}), $s->{errors} ];
        }
        $text .= table(@t);
    }

    $text .= "### Bytes of Redis memory per message\n\n"
        . "A message of 60 bytes, one twelfth of its conversation's head, read positions\n"
        . "and two list entries included.\n\n"
        . table([ 'system', 'bytes' ], map { [ $Bench::Compare::TITLE{$_}, num($r->{bytes}{$_}) ] }
                grep { $_ ne 'limit' } @Bench::Compare::SYSTEMS);

    $text .= counted();
    $text .= sprintf "%d answers were compared first and were the same from all systems.\n%s\n\n",
        $r->{same}, $r->{failed} ? "**$r->{failed} requests failed.**" : 'No request failed.';
    return $text;
}

sub verdict { $_[0] ? 'met' : '**not met**' }


# the counts of t/bench/gates, which no noise moves
sub counted {
    my $text = Bench::Site::slurp("$Bench::Site::HERE/gates.json") or return '';
    my $g = JSON::PP->new->decode($text);
    my @rows = [ 'call', 'instructions', 'commands', 'system calls' ];
    for my $call (sort { ($g->{calls}{$a}{order} || 0) <=> ($g->{calls}{$b}{order} || 0) }
                  keys %{ $g->{calls} })
    {
        my $c = $g->{calls}{$call};
        push @rows, [ $call, num($c->{instructions}), sprintf('%.2f', $c->{commands}),
                      $c->{syscalls} ? sprintf('%.2f', $c->{syscalls} / 1000) : '' ];
    }
    return "### Counted, per request\n\n"
        . "Instructions of the module's own code under callgrind, one request at a time;\n"
        . "commands Redis ran, those of a script included; system calls of the worker at\n"
        . "64 connections. Held in `t/bench/gates.json` and checked by `t/bench/gates`.\n\n"
        . table(@rows);
}


sub curves {
    my ($r) = @_;
    my $text = heading('What grows with what', sprintf '%d interleaved rounds of %d s',
        $r->{rounds}, $r->{seconds});

    my $of = sub {
        my ($name, $what, $first) = @_;
        $first //= $r->{$name}[0];
        return table([ $what, 'req/s', 'of the first', 'p50 ms', 'p99 ms' ], map {
            [ $_->{label}, num($_->{rate}), sprintf('%.0f %%', 100 * $_->{rate} / $first->{rate}),
              ms($_->{p50}), ms($_->{p99}) ] } @{ $r->{$name} });
    };
    my $grid = sub {
        my ($name, $unit) = @_;
        my (%c, %n, @n);
        for (@{ $r->{$name} }) { push @n, $_->{n} unless $n{$_->{n}}++; $c{$_->{call}}{$_->{n}} = $_ }
        return table([ 'call', map { ("$_ $unit: req/s", 'p99 ms') } map { num($_) } @n ], map {
            my $call = $_;
            [ $call, map { (num($c{$call}{$_}{rate}), ms($c{$call}{$_}{p99})) } @n ]
        } qw(page list send members));
    };

    $text .= "### The list, by number of conversations\n\n"
        . "It grows with the entries it answers with: each is read, joined with a name and\n"
        . "sent. The length of the conversations costs nothing. A group (of 3, here) costs\n"
        . "more than a pair: its members are a part of the answer, and its place in the list\n"
        . "is found when it is read.\n\n"
        . $of->('list', 'conversations');

    $text .= sprintf "### A page of 10, by depth, of %s messages\n\n", num(Bench::Curves::DEEP());
    $text .= "It does not grow: a page is a range of the sequence, found by a descent of\n"
        . "logarithmic length, and costs what its rows cost.\n\n"
        . $of->('depth', 'page');

    $text .= "### A send, by members of the group\n\n"
        . "It does not grow: the message and the group's head are written once, and no\n"
        . "member's list is touched. The list looks a user's groups up when it is read.\n\n"
        . $of->('group', 'members');

    $text .= "### Every call, by connections\n\n"
        . "At one connection a request waits for its own round trip to Redis. With many,\n"
        . "the commands of those that arrived together go to Redis in one write, so that more\n"
        . "connections make a request cheaper until the caches of the processor are full.\n\n"
        . $grid->('connections', 'open');

    my $i = $r->{idle_bytes};
    my $more = $i->{module} - $i->{limit};
    $text .= sprintf "### %s idle connections beside 64 busy ones\n\n", num($i->{count});
    $text .= sprintf("An idle connection holds %s bytes of the worker after an IM request and %s\n"
        . "after a `return 200` of the same nginx: %s bytes more (asked: at most 1,024).\n"
        . "Nothing of the module stays with a connection between two requests.\n\n",
        num($i->{module}), num($i->{limit}), ($more < 0 ? '-' : '') . num(abs $more))
        . $grid->('idle', 'idle');

    $text .= "### One and two workers\n\n"
        . sprintf("wrk, Redis and the workers share the %d cores of this machine: a second worker\n"
        . "gains only what the others leave.\n\n", cores())
        . $grid->('workers', 'worker(s)');

    my @m = @{ $r->{memory} };
    $text .= "### Resident memory of the worker\n\n"
        . sprintf("Over %s requests of all four calls it went from %s to %s KiB:\n"
            . "buffers come from the request's pool and go with it.\n\n", num($m[-1]{requests}),
            num($m[0]{rss}), num($m[-1]{rss}))
        . table([ 'requests', 'KiB' ], map { [ num($_->{requests}), num($_->{rss}) ] } @m);
    return $text;
}


sub heading {
    my ($title, $how) = @_;
    my $text = "## $title\n\n";
    my @line = (sprintf('%s, commit %s; %s, 64 connections, wrk with one thread.',
        strftime('%Y-%m-%d', gmtime), commit(), $how),
        sprintf('%s, %d cores, Linux %s.', cpu(), cores(), (POSIX::uname())[2]),
        join(', ', versions()) . '.');
    return $text . join('', map { fold($_) } @line) . "\n";
}

sub fold {
    my ($line) = @_;
    my $out = '';
    while (length $line > 79 && $line =~ s/^(.{1,79}) //) { $out .= "$1\n" }
    return "$out$line\n";
}

sub cores { scalar grep { /^processor\s*:/ } split /\n/, Bench::Site::slurp('/proc/cpuinfo') }

sub cpu { Bench::Site::slurp('/proc/cpuinfo') =~ /^model name\s*:\s*(.*)/m ? $1 : 'processor unknown' }

sub commit {
    my $dir = $Bench::Site::ROOT;
    chomp(my $c = `git -C '$dir' rev-parse --short HEAD 2>/dev/null` || 'unknown');
    my $dirty = `git -C '$dir' status --porcelain -- src config 2>/dev/null`;
    return $dirty ? "$c with changes" : $c;
}

sub versions {
    my $deb = sub {
        my $v = `dpkg-query -W -f '\${Version}' $_[0] 2>/dev/null`;
        return $v ? "$_[0] $v" : ();
    };
    my $npm = sub {
        my $f = ($ENV{BENCH_NODE_MODULES} || '') . "/$_[0]/package.json";
        return Bench::Site::slurp($f) =~ /"version":\s*"([^"]+)"/ ? "$_[0] $1" : ();
    };
    my $nginx = Bench::Site::nginx();
    my ($n) = `$nginx -v 2>&1` =~ m{nginx/(\S+)};
    my ($redis) = `redis-server --version` =~ /v=(\S+)/;
    my ($wrk) = `wrk -v 2>&1` =~ m{^wrk (\S+)};
    my $node = $ENV{BENCH_NODE_MODULES} ? `node --version` =~ s/\n//r : '';
    return ("nginx $n", "redis $redis", "wrk $wrk",
        $node ? ($deb->('libnginx-mod-http-lua'), $deb->('lua-nginx-redis'), $deb->('lua-cjson'),
                 "node $node", $npm->('fastify'), $npm->('ioredis')) : ());
}


sub method {
    return <<'MD';
## How it is measured

- **Systems.** The module; OpenResty's Lua (`t/bench/peers/lua`); Fastify with
  ioredis (`t/bench/peers/fastify`); and as the limit nginx's `return 200` of a
  body that the module gave. Each has one worker, or one process, and a Redis
  of its own on a unix socket without persistence; whoever is not measured is
  idle.
- **The peers** share a schema laid out for these calls
  (`t/bench/peers/schema`): messages and list entries are stored as ready JSON,
  a list is one `MGET`, a member list one `GET`, profiles are cached for a
  second, commands of a request go in one pipeline (of all requests, in
  Fastify) and answers are put together from strings. They keep the same rules
  as the module: unread counts, membership, the read position that page 1
  moves, names and pictures joined when read, one `client_msg_id`, one message.
- **Lua, plain** is what is usually written: a hash for a user and for a
  conversation, a pipeline a step, names asked for at every read, cjson both
  ways (`t/bench/peers/lua/plain.lua`). The best peer is the fastest of all.
- **The data.** 1,000 users with profiles; 10,000 1:1 conversations of 12
  messages, 20 a patient; 50 groups of 200. The module's messages go in by its
  API, the peers' by the script that their API calls.
- **Before the clock starts** all systems answer the same requests, reads and
  writes and refusals, and the answers are compared as JSON; ids and times,
  which every system makes in its own way, are judged each by itself.
- **The load** is wrk with one thread. The requests (random pairs, patients,
  groups; `t/bench/wrk/call.lua`) are made before the clock starts and are the
  same for every system in a round. Rounds are interleaved and the order turns,
  so that a slow minute of the machine falls on all alike. The figures are
  medians of the rounds, the ratios medians of the ratios within a round. One answer other than 200, one torn connection, and
  the bench fails.
- **The limit** answers the same requests; a word of an nginx configuration is
  at most 4 KiB, so the body of 200 members is put together from variables.
- **Nothing is pinned.** On two cores wrk, the server and Redis share what
  there is, in every system alike: the figure is what the machine gives, and
  the load generator is a part of it.
- **Sends make data**: a faster system stores more during the run.
MD
}


# --- the picture: one panel a call, one bar a system

my %COLOR = (module => '#1a7f5a', lua => '#6b7fb3', plain => '#a3aecb', fastify => '#b38a5a', limit => '#c9ccd1');

sub svg {
    my ($r) = @_;
    my ($w, $left, $bar, $gap, $top) = (900, 150, 20, 6, 86);
    my $panel = @Bench::Compare::SYSTEMS * ($bar + $gap) + 46;
    my $h = $top + $panel * @Bench::Compare::CALLS + 34;
    my $room = $w - $left - 120;
    my @out;
    my $text = sub {
        my ($x, $y, $t, %a) = @_;
        $t =~ s/&/&amp;/g; $t =~ s/</&lt;/g; $t =~ s/`//g;
        push @out, sprintf '<text x="%d" y="%d"%s>%s</text>', $x, $y,
            join('', map { qq( $_="$a{$_}") } sort keys %a), $t;
    };

    push @out, qq(<svg xmlns="http://www.w3.org/2000/svg" width="$w" height="$h" viewBox="0 0 $w $h" )
        . 'font-family="DejaVu Sans, Helvetica, Arial, sans-serif" font-size="13" fill="#24292f">',
        qq(<rect width="$w" height="$h" fill="#ffffff"/>);
    $text->(24, 34, 'Requests per second', 'font-size' => 20, 'font-weight' => 'bold');
    $text->(24, 58, sprintf('one worker, one Redis, %d cores, 64 connections; median of %d rounds, '
        . 'the line is from the slowest to the fastest', cores(), $r->{rounds}), fill => '#57606a');

    my $y = $top;
    for my $call (@Bench::Compare::CALLS) {
        my $c = $r->{calls}{$call->{name}};
        my $scale = $room / max(map { $c->{$_}{max} } @Bench::Compare::SYSTEMS);
        push @out, sprintf '<line x1="24" y1="%d" x2="%d" y2="%d" stroke="#d8dee4"/>', $y, $w - 24, $y;
        $text->(24, $y + 22, $call->{title}, 'font-size' => 15, 'font-weight' => 'bold');
        $text->($left + 24, $y + 22, sprintf('%s, %s bytes', $call->{path},
            num($r->{body}{$call->{name}})), fill => '#57606a');
        $text->($w - 24, $y + 22, sprintf('%.1f × the best peer, %.0f %% of the limit',
            $c->{times}, $c->{share}), 'font-weight' => 'bold', 'text-anchor' => 'end',
            fill => $COLOR{module});
        my $at = $y + 34;
        for my $kind (@Bench::Compare::SYSTEMS) {
            my $s = $c->{$kind};
            my ($len, $mid) = ($s->{rate} * $scale, $at + $bar / 2);
            $text->($left - 10, $at + 15, $Bench::Compare::TITLE{$kind}, 'text-anchor' => 'end');
            push @out, sprintf '<rect x="%d" y="%d" width="%.1f" height="%d" rx="2" fill="%s"/>',
                $left, $at, max(1, $len), $bar, $COLOR{$kind};
            push @out, sprintf '<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" stroke="#24292f" '
                . 'stroke-width="1.5"/>', $left + $s->{min} * $scale, $mid, $left + $s->{max} * $scale, $mid;
            $text->($left + max($len, $s->{max} * $scale) + 8, $at + 15, num($s->{rate}),
                $kind eq 'module' ? ('font-weight' => 'bold') : ());
            $at += $bar + $gap;
        }
        $y += $panel;
    }
    $text->(24, $h - 14, sprintf('%s, commit %s', strftime('%Y-%m-%d', gmtime), commit()),
        fill => '#57606a', 'font-size' => 11);
    return join("\n", @out, '</svg>') . "\n";
}

1;
