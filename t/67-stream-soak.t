# Streams while everything breaks, against the timelines; first the checker is
# shown what it must find.  IM_STREAM_EVENTS=100000 for a long run.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib", "$FindBin::Bin/fault";

use Test::More;
use Time::HiRes qw(sleep time);

use Streams;
use Test::IM;

my $events = $ENV{IM_STREAM_EVENTS} || 1200;

my $t = Test::IM->new(workers => 2, store => 'server unix:{{sock}}; timeout 2s;',
    redis_args => [qw(--appendonly yes --appendfsync always)],
    conf_server => 'location /stream { im_stream store; im_stream_drain 300ms; }')->start;


# --- planted faults

{
    my $s = Streams->new(t => $t, users => 3, writers => 1);
    $s->run(events => 40);
    is_deeply([ $s->wrong ], [], 'nothing is wrong');

    my ($u) = grep { %{ $s->{seen}{$_}{got} || {} } } @{ $s->{names} };
    my $mine = $s->{seen}{$u};
    my ($c) = sort { keys %{ $mine->{got}{$b} } <=> keys %{ $mine->{got}{$a} } } keys %{ $mine->{got} };
    my ($seq) = sort { $a <=> $b } keys %{ $mine->{got}{$c} };

    my $id = delete $mine->{got}{$c}{$seq};
    is_deeply([ $s->wrong ], [ "$u: $c $seq is missing" ], 'planted: one that is missing');
    $mine->{gaps} = [ { conv_id => $c, after => $seq - 1, before => $seq + 1 } ];
    is_deeply([ $s->wrong ], [], 'a gap excuses it');
    $mine->{gaps} = [ { conv_id => $c, after => $seq, before => $seq + 2 } ];
    is(scalar($s->wrong), 1, 'not a gap of others');
    $mine->{gaps} = [];
    $mine->{resets} = [ 9999999999999 ];
    is_deeply([ $s->wrong ], [], 'a reset excuses it');
    $mine->{resets} = [ 1 ];
    is(scalar($s->wrong), 1, 'not one before it');
    $mine->{resets} = [];

    $mine->{got}{$c}{$seq} = "$seq-ffffffffffffffff";
    is(scalar($s->wrong), 2, 'planted: one that does not exist, in the place of another');
    $mine->{got}{$c}{$seq} = $id;

    # one that comes behind its successor is dropped, so it is missing
    my $fake = bless { events => [ map { { event => 'message', id => '', data => { conv_id => 'sg1', seq => $_, msg_id => "$_-x" } } } 3, 2 ] }, 'Test::IM::Stream';
    $s->take('nobody', $fake);
    is_deeply([ sort keys %{ $s->{seen}{nobody}{got}{sg1} } ], [3], 'planted: out of order');
    $_ && $_->close for values %{ $s->{streams} };
}


# --- the faults themselves

for my $case ([ 'the subscription, clients, reloads, workers', $events, 0.5, qw(pubsub cut reload cut pubsub worker cut) ],
              [ 'Redis', $events / 2, 2, qw(redis cut) ])
{
    my ($what, $n, $every, @faults) = @$case;
    my $s = Streams->new(t => $t, users => 6, writers => 2);
    $s->run(events => $n, faults => \@faults, every => $every);
    my @wrong = $s->wrong;
    is(scalar(@wrong), 0, "$what: nothing missing, nothing out of order") or diag join "\n", splice @wrong, 0, 20;
    cmp_ok($s->{delivered}, '>=', $n, "$what: $s->{delivered} deliveries, $s->{opened} streams, $s->{faults} faults");
    $_ && $_->close for values %{ $s->{streams} };
}

$t->done(qr/connect to|lost the connection|exited on signal 9/);
done_testing();
