# What of a list is asked for: limit, since, until, only_unread; the rest of a
# long one, page by page.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use JSON::PP ();
use List::Util qw(shuffle);
use Test::More;
use Time::HiRes qw(sleep);
use Test::IM;

my $t = Test::IM->new(workers => 2,
    conf_server => 'location /few/ { im_pass store; im_list_max 5; }',
    log_format => '$im_call $im_store_commands')->start;

sub list { return $t->call('/im/conv/list', { from_id => @_ })->json }
sub ids { return join ' ', map { $_->{conv_id} } @{ $_[0] } }


# --- 40 of two and 10 groups, at times of their own, over an hour

my $now = $t->redis('TIME')->[0] * 1000;
my (%conv, @hidden);

sub at {        # the conversation's last message is as old as that
    my ($conv, $user, $peer, $age) = @_;
    my $time = $now - $age;
    $t->redis('SETRANGE', "im:{c:$conv}:h", 16, $time);
    return if !$peer;
    # as long ago as one step of the clock of inboxes allows
    my $score = rand() < 0.5 ? $time : $time - $time % 16384;
    $t->redis('ZADD', "im:{u:$user}:i", $score, "$conv $peer");
}

for my $n (shuffle 1 .. 50) {
    my $conv = $n % 5 ? $t->say("p$n" => 'ann', "m$n")->conv_id : $t->group('ann', ["p$n"]);
    $t->say_in("p$n" => $conv, "m$n") if $n % 10 == 0;
    # three steps, with many in each, and some of the same time
    at($conv, 'ann', $n % 5 ? "p$n" : '', 3_000_000 + 16_384 * int($n / 16) + 37 * int($n / 2) % 5000);
    $t->mark(ann => $conv) if $n % 3 == 0 && $n % 10 != 5;
    push @hidden, $conv if $n % 7 == 0;
}
$t->hide(ann => $_) for @hidden;

my $all = list('ann');
is(@$all, 50 - @hidden, 'all of them');
ok(!(grep { $all->[$_]{last_time} > $all->[$_ - 1]{last_time} } 1 .. $#$all), 'newest first');

sub wanted {
    my %f = @_;
    my @want = grep { $_->{last_time} > ($f{since} // 0)
        && $_->{last_time} <= ($f{until} // 9e15)
        && (!$f{only_unread} || $_->{unread_count}) } @$all;
    my $limit = $f{limit} // 500;
    return [ splice @want, 0, $limit ];
}

sub check {
    my %f = @_;
    my $json = join ',', map { my $v = $f{$_}; qq("$_":) . ($_ eq 'only_unread'
        ? ($v ? 'true' : 'false') : $v) } sort keys %f;
    my $got = $t->call('/im/conv/list', "{\"from_id\":\"ann\",$json}")->json;
    return is_deeply($got, wanted(%f), $json) || diag(ids($got), "\n", ids(wanted(%f)));
}

check(limit => $_) for 1, 2, 5, 12, 43, 44, 500;
check(only_unread => $_) for 0, 1;
my @times = map { $_->{last_time} } @$all;
for my $time (@times[0, 1, 7, 20, 30, -2, -1]) {
    check($_->[0] => $time + $_->[1]) for map { ([ since => $_ ], [ until => $_ ]) } -1, 0, 1;
}
check(since => 0);
check(until => 0);
check(since => $times[-1] - 1, until => $times[0]);
check(since => $times[0], until => $times[-1]);
check(since => $times[20], until => $times[20]);
check($_ => 9223372036854775807) for qw(since until);
check(until => 9999999999999);

for (1 .. 150) {
    my %f;
    $f{limit} = 1 + int rand 12 if rand() < 0.8;
    $f{since} = $times[rand @times] + int(rand 3) - 1 if rand() < 0.4;
    $f{until} = $times[rand @times] + int(rand 3) - 1 if rand() < 0.6;
    $f{only_unread} = rand() < 0.7 ? 1 : 0 if rand() < 0.5;
    !%f or check(%f) or last;
}


# --- page by page: until is the last_time of the last one

# ties of two need pages of three
for my $limit (3, 5, 20) {
    for my $more ('', ',"only_unread":true') {
        my (%seen, @walk, $until);
        while (1) {
            my $page = $t->call('/im/conv/list', qq({"from_id":"ann","limit":$limit$more)
                . (defined $until ? ",\"until\":$until}" : '}'))->json;
            my @new = grep { !$seen{$_->{conv_id}}++ } @$page or last;
            push @walk, @new;
            $until = $page->[-1]{last_time};
        }
        is(ids(\@walk), ids(wanted(only_unread => $more ? 1 : 0)), "$limit at a time$more");
    }
}


# --- limit is at most im_list_max; a list that has no fields costs what it did

is($t->post('/few/conv/list', { from_id => 'ann', limit => 6 })->code, 'bad_request', 'above im_list_max');
is_deeply($t->call('/few/conv/list', { from_id => 'ann', limit => 5 })->json, wanted(limit => 5), 'im_list_max');
is_deeply($t->call('/few/conv/list', { from_id => 'ann', limit => 4 })->json, wanted(limit => 4), 'below it');
is_deeply($t->call('/few/conv/list', { from_id => 'ann' })->json, wanted(limit => 5), 'as ever');
is_deeply(list('nobody', limit => 3, only_unread => JSON::PP::true()), [], 'nobody');


# --- sends meanwhile: each conversation that gets none is there

{
    my %quiet;
    for my $n (1 .. 30) {
        my $conv = $t->say("q$n" => 'doc', 'x')->conv_id;
        at($conv, 'doc', "q$n", 1000 * $n);
        $quiet{$conv} = 1;
    }
    my %busy = map { $t->say($_ => 'doc', 'x')->conv_id => 1 } map { "b$_" } 1 .. 5;
    my (%seen, $until);
    for (1 .. 100) {
        my $page = list('doc', limit => 4, defined $until ? (until => $until) : ());
        my @new = grep { !$seen{$_->{conv_id}}++ } @$page;
        last if !@new && @$page < 2;
        $t->say('b' . (1 + int rand 5) => 'doc', 'y') for 1 .. 3;
        last if !@$page;
        $until = $page->[-1]{last_time} - (@new ? 0 : 1);
    }
    is(scalar(grep { !$seen{$_} } keys %quiet), 0, 'all quiet ones were seen');
}

run_blocks($t);
$t->done;
done_testing;

__DATA__
=== no limit
--- call
/im/conv/list
--- json
{"from_id":"ann","limit":0}
--- code
bad_request
--- error_like
limit

=== beyond im_list_max
--- call
/im/conv/list
--- json
{"from_id":"ann","limit":501}
--- code
bad_request
--- error_like
limit
500

=== a limit in a string
--- call
/im/conv/list
--- json
{"from_id":"ann","limit":"5"}
--- code
bad_request
--- error_like
limit

=== since before 1970
--- call
/im/conv/list
--- json
{"from_id":"ann","since":-1}
--- code
bad_request
--- error_like
since

=== until is no number
--- call
/im/conv/list
--- json
{"from_id":"ann","until":"now"}
--- code
bad_request
--- error_like
until

=== half a millisecond
--- call
/im/conv/list
--- json
{"from_id":"ann","until":1.5}
--- code
bad_request
--- error_like
until

=== only_unread is a boolean
--- call
/im/conv/list
--- json
{"from_id":"ann","only_unread":1}
--- code
bad_request
--- error_like
only_unread

=== not a word
--- call
/im/conv/list
--- json
{"from_id":"ann","only_unread":"true"}
--- code
bad_request
--- error_like
only_unread

=== nor null
--- call
/im/conv/list
--- json
{"from_id":"ann","only_unread":null}
--- code
bad_request
--- error_like
only_unread

=== unread knows none of them
--- call
/im/unread
--- json
{"from_id":"nobody","limit":0,"only_unread":"x"}
--- answer
{"total":0}
