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

This page is written by `make bench` (`t/bench/run`), which starts every system
with its own Redis, measures throughput and latency and generates the tables.
The method is described [at the end](#method).

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
    my @rows = [ 'call', 'req/s', '× best peer', $plain ? '× plain Lua' : (),
                 '% of `return 200`', 'p99 ms', 'p99 ms, best peer' ];
    for my $call (@Bench::Compare::CALLS) {
        my $c = $r->{calls}{$call->{name}};
        push @rows, [ $call->{title}, num($c->{module}{rate}), sprintf('%.1f', $c->{times}),
            $plain ? sprintf('%.1f', $c->{times_plain}) : (), sprintf('%.0f', $c->{share}),
            ms($c->{module}{p99}), ms($c->{$c->{best}}{p99}) ];
    }
    $text .= table(@rows);
    $text .= sprintf "The speed of the machine varied: the throughput of `return 200` changed by a\n"
        . "factor of %.1f between rounds.\n\n", $r->{spread} if $r->{spread} > 1.3;

    for my $call (@Bench::Compare::CALLS) {
        my $c = $r->{calls}{$call->{name}};
        $text .= sprintf "### %s: `%s`, response body of %s bytes\n\n", ucfirst $call->{title},
            $call->{path}, num($r->{body}{$call->{name}});
        my @t = [ 'system', 'req/s', 'min', 'max', 'p50 ms', 'p99 ms', '× best peer',
                  '% of `return 200`', 'errors' ];
        for my $kind (@Bench::Compare::SYSTEMS) {
            my $s = $c->{$kind};
            push @t, [ $Bench::Compare::TITLE{$kind}, map({ num($s->{$_}) } qw(rate min max)),
                ms($s->{p50}), ms($s->{p99}),
                sprintf('%.2f', $s->{times}), sprintf('%.0f', $s->{share}), $s->{errors} ];
        }
        $text .= table(@t);
    }

    $text .= "### Bytes of Redis memory per message\n\n"
        . "For a message of 60 bytes, including one twelfth of the head, the read\n"
        . "positions and the two list entries of its conversation.\n\n"
        . table([ 'system', 'bytes' ], map { [ $Bench::Compare::TITLE{$_}, num($r->{bytes}{$_}) ] }
                grep { $_ ne 'limit' } @Bench::Compare::SYSTEMS);

    $text .= counted();
    $text .= sprintf "Before the measurement %d responses were compared; they were the same from all\n"
        . "systems. %s\n\n", $r->{same},
        $r->{failed} ? "**$r->{failed} requests failed.**" : 'No request failed.';
    return $text;
}


# the goals of Bench::Compare, for the terminal only

sub goals {
    my ($r) = @_;
    my $verdict = sub { $_[0] ? 'met' : '**not met**' };
    my @rows = [ 'call', '× best peer', 'goal', '', '% of the limit', 'goal', '', 'p99 ms',
                 'best peer', '' ];
    for my $call (@Bench::Compare::CALLS) {
        my $c = $r->{calls}{$call->{name}};
        push @rows, [ $call->{title},
            sprintf('%.1f', $c->{times}), "≥ $call->{times}", $verdict->($c->{met}{times}),
            sprintf('%.0f', $c->{share}), "≥ $call->{share}", $verdict->($c->{met}{share}),
            ms($c->{module}{p99}), ms($c->{$c->{best}}{p99}), $verdict->($c->{met}{p99}) ];
    }
    return table(@rows);
}


# the counts of t/bench/gates, which do not depend on the load of the machine
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
    return "### Instructions, commands and system calls per request\n\n"
        . "Instructions of the code of the module, counted by callgrind with one request\n"
        . "at a time; commands executed by Redis, including those of scripts; system\n"
        . "calls of the worker with 64 connections. `t/bench/gates` checks these\n"
        . "numbers.\n\n"
        . table(@rows);
}


sub curves {
    my ($r) = @_;
    my $text = heading('Scaling', sprintf '%d interleaved rounds of %d s',
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
        . "The cost is proportional to the number of entries in the response: each is\n"
        . "read, joined with a name and sent. It does not depend on the length of the\n"
        . "conversations. A group (of 3 members here) costs more than a 1:1\n"
        . "conversation, because its members are part of the response and its place in\n"
        . "the list is determined when the list is read.\n\n"
        . $of->('list', 'conversations');

    $text .= sprintf "### A page of 10, by depth, of %s messages\n\n", num(Bench::Curves::DEEP());
    $text .= "The cost does not depend on the depth: a page is a range of the sequence, found\n"
        . "in logarithmic time, and costs what its rows cost.\n\n"
        . $of->('depth', 'page');

    $text .= "### A send, by members of the group\n\n"
        . "The cost does not depend on the number of members: the message and the head\n"
        . "of the group are written once, and no list of a member is written. Lists look\n"
        . "up the groups of a user when they are read.\n\n"
        . $of->('group', 'members');

    $text .= "### Every call, by connections\n\n"
        . "With one connection every request waits for its own round trip to Redis. With\n"
        . "many connections, commands of requests that arrive together are sent to Redis\n"
        . "in one write, so the cost per request decreases until the CPU caches are\n"
        . "full.\n\n"
        . $grid->('connections', 'open');

    my $i = $r->{idle_bytes};
    my $more = $i->{module} - $i->{limit};
    $text .= sprintf "### %s idle connections beside 64 busy ones\n\n", num($i->{count});
    $text .= sprintf("An idle connection uses %s bytes of memory of the worker after an IM request\n"
        . "and %s bytes after a `return 200` of the same nginx, a difference of %s. The\n"
        . "module keeps no memory for a connection between two requests.\n\n",
        num($i->{module}), num($i->{limit}), ($more < 0 ? '-' : '') . num(abs $more))
        . $grid->('idle', 'idle');

    $text .= "### One and two workers\n\n"
        . sprintf("wrk, Redis and the workers share the %d cores of this machine, so a second\n"
        . "worker can only use CPU time that the others leave.\n\n", cores())
        . $grid->('workers', 'worker(s)');

    my @m = @{ $r->{memory} };
    $text .= "### Resident memory of the worker\n\n"
        . sprintf("Over %s requests of all four calls it changed from %s to %s KiB.\n"
            . "Buffers are allocated from the pools of requests and freed with them.\n\n", num($m[-1]{requests}),
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
## Method

- **Systems.** The module; OpenResty Lua (`t/bench/peers/lua`); Fastify with
  ioredis (`t/bench/peers/fastify`); and, as an upper limit, `return 200` of
  nginx with a body taken from a response of the module. Each system has one
  worker or one process, and its own Redis on a unix socket without
  persistence. Systems that are not being measured are idle.
- **The peers** share a schema designed for these calls
  (`t/bench/peers/schema`): messages and list entries are stored as complete
  JSON, a list is one `MGET`, a member list one `GET`, profiles are cached for
  one second, the commands of a request are pipelined (in Fastify those of all
  requests) and responses are concatenated from strings. They implement the
  same rules as the module: unread counts, membership, moving the read position
  on page 1, joining names and pictures at read time, storing a `client_msg_id`
  once.
- **Lua, plain** is a conventional implementation: a hash for each user and
  conversation, one pipeline per step, names fetched on every read, cjson for
  parsing and output (`t/bench/peers/lua/plain.lua`). The best peer is the
  fastest of all peers.
- **Data.** 1,000 users with profiles; 10,000 1:1 conversations of 12 messages,
  20 per patient; 50 groups of 200 members. The messages of the module are
  stored through its API, those of the peers by the script that their API uses.
- **Comparison of responses.** Before the measurement all systems serve the
  same requests: reads, writes and errors. Their responses are compared as
  JSON. Ids and times, which differ between systems, are checked separately.
- **Load.** wrk with one thread. The requests (random pairs, patients, groups;
  `t/bench/wrk/call.lua`) are generated before the measurement and are the same
  for every system in a round. Rounds are interleaved in rotating order, so
  that changes of the speed of the machine affect all systems alike. Values are
  medians of the rounds, ratios are medians of the ratios within a round. If
  one response is not 200 or one connection breaks, the run fails.
- **`return 200`** serves the same requests. A parameter in an nginx
  configuration is limited to 4 KiB, so the body for 200 members is composed of
  variables.
- **No CPU pinning.** wrk, the server and Redis share two cores in every
  system. The results therefore include the cost of the load generator.
- **Sends add data**: a faster system stores more messages during a run.
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
        $text->($w - 24, $y + 22, sprintf('%.1f × the best peer, %.0f %% of return 200',
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
