# What lists, totals and refused calls cost Redis: its bytes, its commands and
# its time have bounds that no text and no number of ids moves.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Time::HiRes qw(time);
use Test::IM;

my $t = Test::IM->new(
    store => 'server unix:{{sock}}; timeout 10s;',
    redis_args => [ '--slowlog-log-slower-than', 10000 ],
    conf_server => <<'CONF',
        location /few/ { im_pass store; im_list_max 20; im_reply full; }
        location /hundred/ { im_pass store; im_list_max 100; }
CONF
    log_format => '$im_call $im_store_commands',
)->start;


# what a call moves, in bytes, and how often each command is called; reading
# that has a price of its own, which is taken off

sub counters {
    my %c;
    my $info = $t->redis('INFO', 'everything');
    $c{in} = $1 if $info =~ /total_net_input_bytes:(\d+)/;
    $c{out} = $1 if $info =~ /total_net_output_bytes:(\d+)/;
    $c{$1} = $2 while $info =~ /^cmdstat_(\w+):calls=(\d+)/mg;
    return ($info, \%c);
}

sub cost {
    my ($cb) = @_;
    counters();
    my ($text, $was) = counters();
    my $result = $cb->();
    my (undef, $is) = counters();
    my %d = map { $_ => $is->{$_} - ($was->{$_} // 0) } keys %$is;
    $d{out} -= length $text;
    $d{in} -= 40;
    return ($result, \%d);
}


# --- more ids than a group may have do not reach Redis

{
    my $conv = $t->group('ann', ['bob']);
    my @id = map { sprintf 'x%04x', $_ } 1 .. 11683;
    my $add = { conv_id => $conv, member => \@id };
    my $create = { owner_id => 'ann', name => 'g', member => \@id };
    my $named = { %$create, conv_id => 'named' };

    for my $case (
        [ 'an add'               => 'add/group/merber' => $add, 1 ],
        [ 'a new group'          => 'creat/group' => $create, 0 ],
        [ 'one with an id'       => 'creat/group' => $named, 0 ],
        [ 'an add of the same'   => 'add/group/merber',
          { conv_id => $conv, member => [ @id[0 .. 500], ('x0001') x 9000 ] }, 1 ],
    ) {
        my ($name, $path, $body, $most) = @$case;
        my ($r, $c, $slow, $took);

        # a machine that is busy makes any command slow: the best of three

        for (1 .. 3) {
            $t->redis('SLOWLOG', 'RESET');
            my $start = time;
            ($r, $c) = cost(sub { $t->post("/im/$path", $body) });
            $took = time - $start;
            $slow = $t->redis('SLOWLOG', 'LEN');
            last if $slow == 0 && $took < 0.2;
        }

        is($r->status, 409, "11,683 ids, $name");
        is($r->code, 'group_full', 'are too many');
        cmp_ok($c->{in}, '<', 1000, "$c->{in} bytes reach Redis");
        cmp_ok($c->{evalsha} // 0, '<=', $most, 'in one script at most');
        is($c->{zadd} // 0, 0, 'which takes no places');
        is($slow, 0, 'and takes no 10 ms');
        cmp_ok($took, '<', $Test::IM::SCALE, sprintf 'answered in %.3f s', $took);
    }

    is(scalar @{ $t->members($conv) }, 2, 'nobody was added');
    is(@{ $t->redis('KEYS', 'im:{u:x*') }, 0, 'nor has a place');
}


# --- 300 groups with long texts

{
    my $long = 'y' x 30_000;
    my @group = map { $t->group('gil', ['hal']) } 1 .. 300;
    my %time = map { $_ => $t->say_in('gil', $_, $long)->msg_time } @group;
    my @newest = sort { $time{$b} <=> $time{$a} || $a cmp $b } @group;

    my ($r, $c) = cost(sub { $t->post('/im/unread', { from_id => 'hal' }) });
    is($r->json->{total}, 300, 'a total');
    cmp_ok($c->{out}, '<', 100_000, "moves $c->{out} bytes of 9 million");
    cmp_ok($c->{evalsha}, '<=', 5, 'in few commands');

    ($r, $c) = cost(sub { $t->post('/few/conv/list', { from_id => 'hal' }) });
    is_deeply([ map { $_->{conv_id} } @{ $r->json } ],
              [ @newest[0 .. 19] ], 'the newest 20 of a list');
    is(scalar(grep { $_->{last_msg} eq $long && $_->{unread_count} == 1
                     && $_->{name} eq 'a group' } @{ $r->json }), 20, 'whole');
    cmp_ok($c->{out}, '<', 20 * 30_000 + 100_000,
           "move $c->{out} bytes: what they show");
    cmp_ok($c->{evalsha}, '<=', 7, 'in few commands');

    my $sent;
    for my $i (1 .. 100) {
        $sent = $t->say("p$i" => 'ida', $long);
    }
    ($r, $c) = cost(sub { $t->post('/im/unread', { from_id => 'ida' }) });
    is($r->json->{total}, 100, 'a total of 1:1s');
    cmp_ok($c->{out}, '<', 50_000, "moves $c->{out} bytes of 3 million");
    ($r, $c) = cost(sub { $t->post('/few/conv/list', { from_id => 'ida' }) });
    is($r->json->[0]{last_time}, $sent->msg_time, 'the newest 20 of a list of 1:1s');
    cmp_ok($c->{out}, '<', 2 * 20 * 30_000,
           "move $c->{out} bytes: what they show");
}


# --- 600 conversations whose last messages are within the same 16 seconds: the
#     scores of an inbox do not tell their order

my @peer = map { "q$_" } 1 .. 600;
my %conv = map { $_ => $t->say($_ => 'jan', 'hello')->conv_id } @peer;
my @club = map { $t->group('kim', ['jan']) } 1 .. 30;
srand(12);

my $step = 16384;
my $base = (int(time * 1000 / $step) - 20) * $step;


# times by the number of the conversation; a score is one of the same step, not
# newer than the time

sub arrange {
    my ($at, $groups) = @_;
    my %time;
    my @key = ((map { [ $conv{$_}, $_ ] } @peer), map { [ $_ ] } @$groups);
    for my $i (0 .. $#key) {
        my ($id, $peer) = @{ $key[$i] };
        my $time;
        do { $time = $base + int $at->($i) } while $time{$time};
        $time{$time} = $id;
        $t->redis('SETRANGE', "im:{c:$id}:h", 16, $time);
        $t->redis('ZADD', 'im:{u:jan}:i', $time - int(rand($time % $step)), "$id $peer")
            if $peer;
    }
    return [ map { $time{$_} } sort { $b <=> $a } keys %time ];
}

$t->redis('DEL', 'im:{u:jan}:g');

for my $case (
    [ 'all in one step'                 => sub { rand $step } ],
    [ '90 in a newer one'               => sub { rand($step) + ($_[0] < 90) * $step } ],
    [ '100 in a newer one'              => sub { rand($step) + ($_[0] < 100) * $step } ],
    [ '101 in a newer one'              => sub { rand($step) + ($_[0] < 101) * $step } ],
    [ 'ten in each'                     => sub { rand($step) + int($_[0] / 10) * $step } ],
    [ '300 in each of two'              => sub { rand($step) + ($_[0] % 2) * $step } ],
    [ 'groups among them'               => sub { rand $step }, 30 ],
    [ 'groups, and two steps'           => sub { rand($step) + ($_[0] < 80) * $step }, 30 ],
) {
    my ($name, $at, $groups) = @$case;
    my @with = @club[0 .. ($groups // 0) - 1];
    $t->redis('ZADD', 'im:{u:jan}:g', 1e15, $_) for @with;
    my $want = arrange($at, \@with);

    my ($r, $c) = cost(sub { $t->post('/hundred/conv/list', { from_id => 'jan' }) });
    is_deeply([ map { $_->{conv_id} } @{ $r->json } ], [ @$want[0 .. 99] ],
              "$name: the newest 100, in their order");
    cmp_ok($c->{zrevrangebyscore} // 0, '<=', 1, 'with one repetition at most');
    cmp_ok(($c->{zrevrange} // 0) + ($c->{zrange} // 0), '<=', 2,
           'of a part of the inbox');
    cmp_ok($c->{evalsha}, '<=', 1 + 5 + 1 + 7, "in $c->{evalsha} scripts");
    cmp_ok($c->{mget} // 0, '<=', 1, 'and one command for the texts');
}

$t->done;
done_testing;
