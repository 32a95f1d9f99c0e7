package Bench::Compare;

# The module against its peers and against the limit, in interleaved rounds.

use strict;
use warnings;

use Carp qw(croak);
use Time::HiRes qw(time);

use Bench::Check;
use Bench::Client;
use Bench::Data;
use Bench::Site;
use Bench::Wrk;

our @PEERS   = (qw(lua fastify), $ENV{QUICK} ? () : 'plain');
our @SYSTEMS = ('module', @PEERS, 'limit');
our %TITLE = (module => 'module', lua => 'OpenResty Lua', plain => 'Lua, plain',
              fastify => 'Fastify', limit => '`return 200`');

# what must be reached: times the best peer, share of the limit
our @CALLS = (
    { name => 'page', title => 'page of 10', path => '/im/from/to', times => 5, share => 60 },
    { name => 'list', title => 'list of 20', path => '/im/conv/list', times => 10, share => 30 },
    { name => 'send', title => 'send, 1:1', path => '/im/send/msg', times => 4, share => 45 },
    { name => 'members', title => 'members of 200', path => '/im/group/{id}/list',
      times => 40, share => 15 },
);


# %opt: rounds, seconds, until (no third round after it), say => sub; returns { calls => { name => { kind => ... } },
# bytes => { kind => n }, same => n, failed => n }

sub run {
    my (%opt) = @_;
    my $say = $opt{say};
    my %out = (rounds => $opt{rounds}, seconds => $opt{seconds}, failed => 0);

    my %site;
    for my $kind (grep { $_ ne 'limit' } @SYSTEMS) {
        my $t = time;
        my $s = $site{$kind} = Bench::Site->new($kind)->start;
        $out{bytes}{$kind} = $s->seed;
        $say->(sprintf 'seeded %-8s in %.1f s', $kind, time - $t);
    }

    my %bodies = (
        '= /im/from/to' => $site{module}->must('/im/from/to', first_page()),
        '= /im/conv/list' => $site{module}->must('/im/conv/list',
            { from_id => Bench::Data::patient(0) }),
        '= /im/send/msg' => '{}',
        '/im/group/' => $site{module}->must('/im/group/group00/list', {}),
    );
    $out{body}{$_->{name}} = length $bodies{ $_->{name} eq 'members'
        ? '/im/group/' : "= $_->{path}" } for @CALLS;
    $site{limit} = Bench::Site->new('limit', bodies => Bench::Site::bodies(\%bodies))->start;
    for my $path (keys %bodies) {
        my ($p) = $path =~ m{(/\S+)};
        my (undef, $body) = http_call($site{limit}->port, $p, {});
        croak "$p: the limit gives another body" if $body ne $bodies{$path};
    }

    $out{same} = Bench::Check::same(map { $site{$_} } grep { $_ ne 'limit' } @SYSTEMS);
    $say->("$out{same} answers are the same from all");

    # the compilers of the peers have seen every call before the clock counts;
    # LuaJIT's is quick
    for my $call (@CALLS) {
        for my $kind ($opt{until} ? 'fastify' : @PEERS) {
            Bench::Wrk::run(port => $site{$kind}->port, call => [ $call->{name} ],
                            seconds => 1, seed => 99);
        }
    }

    my %got;
    for my $round (1 .. $opt{rounds}) {
        # a short run stays short on a slow machine
        if ($opt{until} && $round > 2 && time > $opt{until}) {
            $out{rounds} = $round - 1;
            last;
        }
        for my $call (@CALLS) {
            # nobody is always first
            my @order = @SYSTEMS;
            push @order, splice @order, 0, $round % @order;
            for my $kind (@order) {
                my $r = Bench::Wrk::run(port => $site{$kind}->port,
                    call => [ $call->{name} ], seconds => $opt{seconds}, seed => $round);
                push @{ $got{$call->{name}}{$kind} }, $r;
                next unless $r->{errors};
                $out{failed} += $r->{errors};
                $say->("FAILED: $kind, $call->{name}: $r->{why}");
            }
            $say->(sprintf 'round %d of %d: %-8s %s', $round, $opt{rounds}, $call->{name},
                join '  ', map { sprintf '%s %.0f', $_, $got{$call->{name}}{$_}[-1]{rate} } @SYSTEMS);
        }
    }

    for my $call (@CALLS) {
        for my $kind (@SYSTEMS) {
            my @r = @{ $got{$call->{name}}{$kind} };
            my @rate = sort { $a <=> $b } map { $_->{rate} } @r;
            my %c = (rate => Bench::Wrk::median(@rate), min => $rate[0], max => $rate[-1],
                     errors => 0);
            $c{$_} = do { my $f = $_; Bench::Wrk::median(map { $_->{$f} } @r) } for qw(p50 p99);
            $c{errors} += $_->{errors} for @r;
            $out{calls}{$call->{name}}{$kind} = \%c;
        }
        judge($call, $out{calls}{$call->{name}}, $got{$call->{name}});
    }
    my @quiet = map { $out{calls}{$_->{name}}{limit} } @CALLS;
    $out{spread} = Bench::Wrk::median(map { $_->{max} / $_->{min} } @quiet);
    return \%out;
}


# the body of a usual page, seen by one who has read it
sub first_page {
    my ($a, $b) = Bench::Data::pair(250, 3);
    return { from_id => $a, to_id => $b, page_no => 1, page_size => 10 };
}


# ratios are medians of the ratios within a round: what slows the machine for a
# minute then slows both

sub judge {
    my ($call, $c, $got) = @_;
    my $ratio = sub {
        my ($a, $b) = @_;
        return Bench::Wrk::median(map { $got->{$a}[$_]{rate} / $got->{$b}[$_]{rate} }
                                  0 .. $#{ $got->{$a} });
    };
    my ($best) = sort { $c->{$b}{rate} <=> $c->{$a}{rate} } @PEERS;
    $c->{best} = $best;
    for my $kind (@SYSTEMS) {
        $c->{$kind}{times} = $ratio->($kind, $best);
        $c->{$kind}{share} = 100 * $ratio->($kind, 'limit');
    }
    $c->{times} = $c->{module}{times};
    $c->{share} = $c->{module}{share};
    $c->{times_plain} = $ratio->('module', 'plain') if $c->{plain};
    $c->{met} = {
        times => $c->{times} >= $call->{times}, share => $c->{share} >= $call->{share},
        p99 => $c->{module}{p99} < $c->{$best}{p99},
    };
}

1;
