# im_groups_max: nobody is in more groups, whatever runs at the same time; who
# is refused leaves nothing behind; what a crash has left disappears; lists and
# totals have all groups.  And im_group_add: who may add.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use POSIX ();
use Test::More;
use Time::HiRes qw(time);
use Test::IM;

my $t = Test::IM->new(
    workers => 2,
    store => 'server unix:{{sock}}; connections 4; timeout 10s;',
    conf_im => 'im_groups_max 8;',
    conf_server => <<'CONF',
        location /many/ { im_pass store; }
        location /short/ { im_pass store; im_list_max 10; }
        location /user/ { im_pass store; im_user $http_x_user; }
        location /owner/ { im_pass store; im_user $http_x_user; im_group_add owner; }
        location /backend/ { im_pass store; im_user $http_x_user; im_group_add trusted; }
CONF
)->start;


sub create {
    my ($owner, $members, %more) = @_;
    return $t->post(($more{base} // '/im') . '/creat/group', { owner_id => $owner,
        name => 'g', member => $members, map { $_ => $more{$_} } grep { $_ ne 'base' } keys %more });
}

sub add {
    my ($conv, $members, @opt) = @_;
    return $t->post('/im/add/group/merber', { conv_id => $conv, member => $members }, @opt);
}

sub places { return $t->redis('ZRANGE', "im:{u:$_[0]}:g", 0, -1) }

sub listed { return join ' ', sort map { $_->{conv_id} } @{ $t->list($_[0]) } }


# --- one after the other

my @group = map { create('ann', [])->conv_id } 1 .. 8;
is(listed('ann'), join(' ', sort @group), 'as many groups as one may be in');

my $open = create('bob', [])->conv_id;

for my $case (
    [ 'a group more'         => sub { create('ann', []) } ],
    [ 'with others'          => sub { create('ann', [qw(x1 x2 bob)]) } ],
    [ 'as a member'          => sub { create('x3', [qw(x4 ann x5)]) } ],
    [ 'with a chosen id'     => sub { create('x3', ['ann'], conv_id => 'mine') } ],
    [ 'added'                => sub { add($open, ['ann']) } ],
    [ 'added among others'   => sub { add($open, [qw(x6 bob ann x7)]) } ],
) {
    my ($name, $call) = @$case;
    my $was = $t->snapshot;
    my $r = $call->();
    is($r->code, 'too_many_groups', "$name: refused");
    is($r->status, 409, 'as a conflict');
    is_deeply($t->snapshot, $was, 'and nothing is left of it');
    is(listed('bob'), $open, 'nor in the list of another');
}

{
    my $was = $t->snapshot;
    is(add($group[0], ['ann'])->status, 200, 'who is a member already');
    is_deeply($t->snapshot, $was, 'needs no place');
    is(add('nosuch', [qw(x1 x2)])->code, 'conv_not_found', 'no such group');
    is(create('x1', ['x2'], conv_id => $open)->code, 'conv_exists', 'a taken id');
    is_deeply($t->snapshot, $was, 'leaves nothing, too');
}

is(create('ann', ['x8'], base => '/many')->status, 200, 'where the limit is higher');
is(scalar(split ' ', listed('ann')), 9, 'one more is possible');
is(add($open, ['ann'])->code, 'too_many_groups', 'where it is lower, none');


# --- all at once: of many who put "vic" into groups, as many succeed as may

sub parallel {
    my ($n, $cb) = @_;
    my (@out, @pid);
    for my $i (1 .. $n) {
        pipe my $r, my $w or die "pipe: $!";
        my $pid = fork // die "fork: $!";
        if (!$pid) {
            my @said = eval { $cb->($i) };
            @said = ("died: $@") if $@;
            syswrite $w, join '', map { "$_\n" } @said;
            POSIX::_exit(0);
        }
        close $w;
        push @out, $r;
        push @pid, $pid;
    }
    my @said = map { my $r = $_; <$r> } @out;
    waitpid $_, 0 for @pid;
    chomp @said;
    return @said;
}

my @made = map { create("host$_", [])->conv_id } 1 .. 6;

my @said = parallel(6, sub {
    my $i = shift;
    my @said;
    for my $k (1 .. 12) {
        delete $t->{conn} if $k % 2;
        my $r = $k % 3 ? create("own$i-$k", ["vic", "by$i-$k"])
                       : add($made[$i - 1], ["vic", "by$i-$k"]);
        push @said, join ' ', $r->status, $r->code || '-', "own$i-$k", "by$i-$k";
    }
    return @said;
});

my @ok = grep { /^200 / } @said;
my @no = grep { /^409 too_many_groups / } @said;
is(@ok + @no, 72, 'each was answered so or so') or diag(@said);

my %in = map { $_ => 1 } split ' ', listed('vic');
is(scalar keys %in, 8, 'in as many groups as one may be in');
is(scalar @{ places('vic') }, 8, 'with a place in each');

my @left = grep { $t->redis('EXISTS', "im:{u:$_}:g") }
           map { (split)[2, 3] } @no;
is_deeply(\@left, [], 'who was refused with him has none');

my @lost = grep { listed($_) eq '' } map { (split)[3] } @ok;
is_deeply(\@lost, [], 'and who was not refused has one');


# --- one user, one group, several calls, of which some are refused

{
    create('full', []) for 1 .. 8;
    my ($over, $wrong, $left) = (0) x 3;
    for my $k (1 .. 100) {
        my $conv = create("o$k", [])->conv_id;
        create("q$k$_", ["v$k"]) for 1 .. 7;

        my @call = (
            [ add => { conv_id => $conv, member => [ "v$k", 'full' ] } ],
            [ add => { conv_id => $conv, member => ["v$k"] } ],
            [ create => { owner_id => "r$k", name => 'n', member => ["v$k"] } ],
            [ create => { owner_id => "s$k", name => 'n', member => [ "v$k", 'full' ] } ],
        );
        my %path = (add => '/im/add/group/merber', create => '/im/creat/group');
        my @conn = map { $t->connect } @call;
        $conn[$_]->send(bytes($path{ $call[$_][0] }, $call[$_][1])) for 0 .. $#call;
        my @r = map { $_->read_response } @conn;

        my $is = @{ [ split " ", listed("v$k") ] };
        $over++ if @{ places("v$k") } > 8 || $is > 8;
        $wrong++ if $is != 7 + grep { $_->status == 200 } @r;
        $left++ if @{ places("v$k") } != $is;
    }
    is($over, 0, 'calls that cross: nobody is above the limit');
    is($wrong, 0, 'each group that was answered with 200 is in the list');
    cmp_ok($left, '<=', 1, 'and nothing else has a place');
}


# --- who leaves, or is removed, and is added, all at once: is a member with a
#     place, or neither

{
    my ($wrong, $seen) = (0, 0);
    for my $k (1 .. 100) {
        my $conv = create("lo$k", ["lv$k"])->conv_id;
        my @call = (
            $k % 2 ? [ "/im/group/$conv/leave", { from_id => "lv$k" } ]
                   : [ "/im/group/$conv/remove", { from_id => "lo$k", member => ["lv$k"] } ],
            [ '/im/add/group/merber', { conv_id => $conv, member => [ "lv$k", "ln$k" ] } ],
            [ '/im/add/group/merber', { conv_id => $conv, member => [ "lv$k", $k % 3 ? () : 'full' ] } ],
        );
        @call = reverse @call if $k % 4 > 1;
        my @conn = map { $t->connect } @call;
        $conn[$_]->send(bytes(@{ $call[$_] })) for 0 .. $#call;
        $_->read_response for @conn;

        my $member = $t->redis('HEXISTS', "im:{c:$conv}:g", "lv$k");
        $seen += $member;
        $wrong++ if listed("lv$k") ne ($member ? $conv : '') || $member && !@{ places("lv$k") }
            || listed("ln$k") ne $conv;
    }
    is($wrong, 0, "leaving and adding at once: a member with a place, or neither");
    note("$seen of 100 are members");
}


# --- the same id, chosen by several at once

{
    my $wrong = 0;
    for my $k (1 .. 25) {
        my @conn = map { $t->connect } 1 .. 3;
        $conn[$_]->send(bytes('/im/creat/group', { owner_id => "w$k$_", name => 'n',
            conv_id => "same$k", member => [ "m$k", "only$k$_" ] })) for 0 .. 2;
        my @r = map { $_->read_response } @conn;
        my @won = grep { $r[$_]->status == 200 } 0 .. 2;
        $wrong++ if @won != 1 || listed("m$k") ne "same$k"
            || listed("w$k$won[0]") ne "same$k" || @{ places("m$k") } != 1
            || grep { @{ places("only$k$_") } + @{ places("w$k$_") } }
               grep { $_ != $won[0] } 0 .. 2;
    }
    is($wrong, 0, 'one creates it, the others leave nothing');
}


# --- places that a crash has left

{
    my $now = int(time * 1e6);
    my $conv = create('cat', ['dan'])->conv_id;
    my $other = create('eve', [])->conv_id;
    my $member = $t->redis('ZSCORE', 'im:{u:dan}:g', $conv);

    $t->redis('ZADD', 'im:{u:dan}:g', $now - 61e6, 'nosuch', $now - 3600e6, $other,
              $now - 30e6, 'fresh');
    is($t->unread('dan'), 0, 'a place without a membership: a total');
    is_deeply([ sort @{ places('dan') } ], [ sort $conv, $other, 'nosuch', 'fresh' ],
              'does not look at it');
    is(listed('dan'), $conv, 'a list does not show it');
    is_deeply([ sort @{ places('dan') } ], [ sort $conv, 'fresh' ],
              'and removes it once it is older than a minute');
    is($t->redis('ZSCORE', 'im:{u:dan}:g', $conv), $member, 'that of a member stays');
    is(listed('dan'), $conv, 'however old');
    $t->redis('ZADD', 'im:{u:dan}:g', 1, $conv);
    is(listed('dan'), $conv, 'it is');
    is(scalar @{ places('dan') }, 2, 'with the one that may become a membership');

    # the limit counts them; a call that is repeated completes what was begun
    $t->redis('ZADD', 'im:{u:dan}:g', $now, "f$_") for 1 .. 6;
    is(create('fay', ['dan'])->code, 'too_many_groups', 'places count');
    $t->redis('ZADD', 'im:{u:dan}:g', $now, $other);
    $t->redis('ZREM', 'im:{u:dan}:g', 'f1');
    is(add($other, ['dan'])->status, 200, 'a place that was left is used');
    is(listed('dan'), join(' ', sort $conv, $other), 'by the call that needs it');
}


# --- lists and totals are steady, and have all of them

{
    my @all = map { create('gil', ['hal'], base => '/many')->conv_id } 1 .. 60;
    $t->say_in('gil', $_, 'x') for @all;
    my %list;
    $list{ join ' ', map { $_->{conv_id} } @{ $t->list('hal') } }++ for 1 .. 5;
    is(scalar keys %list, 1, 'the same list each time');
    is(scalar(map { split } keys %list), 60, 'of all groups');
    is($t->unread('hal'), 60, 'and a total of all');
    my $short = $t->call('/short/conv/list', { from_id => 'hal' })->json;
    is_deeply([ map { $_->{conv_id} } @$short ],
              [ (map { split } keys %list)[0 .. 9] ], 'a short one has the newest');
    is($t->call('/short/unread', { from_id => 'hal' })->json->{total}, 60,
       'which the total is not bound to');
}


# --- who may add

for my $case (
    [ user    => 200, 200, 'not_member' ],
    [ owner   => 200, 'forbidden', 'not_member' ],
    [ backend => 'forbidden', 'forbidden', 'forbidden' ],
) {
    my ($base, @want) = @$case;
    my $conv = create("own-$base", ["mem-$base"])->conv_id;
    my $n = 0;
    for my $who ("own-$base", "mem-$base", "str-$base") {
        my $was = $t->snapshot;
        my $r = $t->post("/$base/add/group/merber",
            { conv_id => $conv, member => ["new-$base-$n"] }, headers => ["X-User: $who"]);
        my $want = shift @want;
        is($r->code || $r->status, $want, "im_group_add, /$base: $who");
        is_deeply($t->snapshot, $was, 'and nothing is left') if $want ne 200;
        $n++;
    }
}

$t->done;
done_testing;
