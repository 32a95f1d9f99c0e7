# The life of a group: what leaving, being removed, coming back, handing over
# and dismissing mean for lists, totals, unread counts and history; who may,
# as a table; calls at the same time; states that a crash has left.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use POSIX ();
use Test::More;
use Test::IM;

my $t = Test::IM->new(
    workers => 2,
    conf_server => <<'CONF',
        location /as/ { im_pass store; im_user $http_x_user; }
        location /two/ { im_pass store; im_groups_max 2; }
CONF
)->start;

sub group_call {
    my ($g, $call, %body) = @_;
    return $t->post("/im/group/$g/$call", \%body);
}

sub done_ok {
    my ($g, $call, @body) = @_;
    my $r = group_call($g, $call, @body);
    is($r->status . $r->body, '200{}', "$call $g") or diag($r->body);
}

sub ids { [ map { $_->{id} } @{ $t->members($_[0]) } ] }
sub listed { my $u = shift; [ sort map { $_->{conv_id} } @{ $t->list($u) } ] }
sub places { $t->redis(ZRANGE => "im:{u:$_[0]}:g", 0, -1) }


# --- a member goes: list and total at once, the others keep what they had

for my $how (qw(leave remove)) {
    my $g = $t->group(own => [qw(b c)], conv_id => "gone-$how");
    my ($b, $other) = ("b", $t->group($how => ['b']));
    $t->say_in(own => $g, "m$_") for 1 .. 3;
    $t->say_in($how => $other, 'o');
    my $total = $t->unread('b');

    done_ok($g, $how, $how eq 'leave' ? (from_id => 'b')
                                      : (from_id => 'own', member => ['b']));
    is_deeply([ grep { $_ eq $g } @{ listed('b') } ], [],
              "$how: not listed any more");
    is($t->unread('b'), $total - 3, "$how: not counted any more");
    ok(!(grep { $_ eq $g } @{ places('b') }), "$how: takes no place");
    is($t->redis(HEXISTS => "im:{c:$g}:g", 'b'), 0, "$how: no read position");
    is($t->unread_in(c => $g), 3, "$how: for others nothing has changed");
    my $seq = $t->say_in(own => $g, 'm4')->msg_id;
    is($t->unread('b'), $total - 3, "$how: nor is what comes after");

    # and comes back: the whole history, nothing unread, last in order
    $t->add($g, 'b');
    is_deeply(ids($g), [qw(own c b)], "$how: back as the last");
    is($t->unread_in(b => $g), 0, "$how: with nothing unread");
    is_deeply($t->texts($t->page($g)), [qw(m4 m3 m2 m1)],
              "$how: the whole history");
    ok(scalar(grep { $_ eq $g } @{ listed('b') }), "$how: listed again");
    $t->say_in(own => $g, 'm5');
    is($t->unread_in(b => $g), 1, "$how: what comes then is unread");
    is_deeply($t->texts($t->page($g, from_id => 'b')),
              [qw(m5 m4 m3 m2 m1)], "$how: is a viewer again");
    is($t->say_in(b => $g, 'm6')->status, 200, "$how: and may send");
}


# --- the order of lists: neither set nor transfer nor dismissal is a message

{
    my $g = $t->group(o1 => ['p1']);
    $t->say_in(o1 => $g, 'hi');
    my ($before) = @{ $t->list('p1') };
    my $last = $before->{last_time};
    $t->say(o1 => 'p1', 'newer');
    done_ok($g, 'set', from_id => 'o1', name => 'new');
    done_ok($g, 'alias', id => 'p1', alias => 'new');
    done_ok($g, 'transfer', from_id => 'o1', to_id => 'p1');
    done_ok($g, 'dismiss', from_id => 'p1');
    my @list = @{ $t->list('p1') };
    is($list[1]{conv_id}, $g, 'the group is not first');
    is_deeply($list[1], $before, 'it shows as before');
    is($t->unread('p1'), 2, 'nothing is read by that');
}


# --- a place that was given up can be used for another group

{
    my @g = map { $t->group(host => ['many'], conv_id => "m$_") } 1 .. 3;
    done_ok('m3', 'remove', from_id => 'host', member => ['many']);
    $t->group(host => [], conv_id => 'm4');
    is($t->post('/two/add/group/merber', { conv_id => 'm4',
        member => ['many'] })->code, 'too_many_groups', 'in two of two');
    done_ok('m1', 'leave', from_id => 'many');
    is($t->post('/two/add/group/merber', { conv_id => 'm4',
        member => ['many'] })->status, 200, 'in one of two, after leaving');
    is($t->post('/two/add/group/merber', { conv_id => 'm3',
        member => ['many'] })->code, 'too_many_groups', 'in two of two');
    done_ok('m2', 'remove', from_id => 'host', member => ['many']);
    is($t->post('/two/add/group/merber', { conv_id => 'm3',
        member => ['many'] })->status, 200, 'in one of two, after removal');
    is_deeply(listed('many'), [qw(m3 m4)], 'these are listed');
}


# --- 500 members removed at once

{
    my @many = map { "m$_" } 1 .. 499;
    my $big = $t->group(big => \@many);
    done_ok($big, 'alias', id => $_, alias => "is $_") for @many[0, 5, 498];
    is_deeply([ map { $_->{alias} } @{ $t->members($big) }[0, 1, 6, 499, 7] ],
              [ '', 'is m1', 'is m6', 'is m499', '' ], 'aliases of 500');
    done_ok($big, 'transfer', from_id => 'big', to_id => 'm499');
    is_deeply(ids($big), [ 'm499', 'big', @many[0 .. 497] ], 'owned by the last');
    done_ok($big, 'remove', from_id => 'm499', member => [ 'big', @many[0 .. 497] ]);
    is_deeply(ids($big), ['m499'], 'of whom one stays');
    is_deeply($t->members($big)->[0]{alias}, 'is m499', 'with the alias');
    is_deeply([ map { @{ places($_) } } 'big', @many[0 .. 3] ], [ ],
              'and no place of the others');
}


# --- who may: all calls, all callers, with and without im_user

my @callers = qw(owner member stranger removed);

my %may = (
    alias    => [ {}, {},          'not_member', 'not_member' ],
    set      => [ {}, 'forbidden', 'not_member', 'not_member' ],
    leave    => [ 'is_owner', {},  'not_member', 'not_member' ],
    remove   => [ {}, 'forbidden', 'not_member', 'not_member' ],
    transfer => [ {}, 'forbidden', 'not_member', 'not_member' ],
    dismiss  => [ {}, 'forbidden', 'not_member', 'not_member' ],
);
my %rest = (
    alias => { alias => 'x' }, set => { name => 'n' }, leave => {},
    remove => { member => ['victim'] }, transfer => { to_id => 'member' },
    dismiss => {},
);

my ($route) = slurp("$Test::IM::ROOT/src/api/ngx_http_im_route.c");
is_deeply([ sort keys %may ],
          [ sort grep { $_ ne 'list' } $route =~ m{"group/\*/(\w+)"}g ],
          'every call on a group has a row');

my $n = 0;
for my $call (sort keys %may) {
    for my $as (0, 1) {
        for my $i (0 .. $#callers) {
            my ($who, $want) = ($callers[$i], $may{$call}[$i]);
            my $g = $t->group(owner => [qw(member removed victim)],
                              conv_id => 'w' . ++$n);
            done_ok($g, 'remove', from_id => 'owner', member => ['removed']);
            my %body = (($call eq 'alias' ? 'id' : 'from_id')
                        => $who, %{ $rest{$call} });
            my $before = $t->snapshot;
            my $r = $t->post(($as ? '/as' : '/im') . "/group/$g/$call", \%body,
                             headers => [ $as ? "X-User: $who" : () ]);
            my $what = "$call by $who" . ($as ? ' himself' : '');
            if (ref $want) {
                is($r->status . $r->body, '200{}', $what);
            } else {
                is($r->code, $want, "$what: $want") or diag($r->body);
                is($r->status, $STATUS{$want}, 'status');
                is_deeply($t->snapshot, $before, 'changes no key');
            }
            if ($as && $call ne 'alias') {     # for somebody else
                $body{from_id} = $who eq 'owner' ? 'member' : 'owner';
                $before = $t->snapshot;
                is($t->post("/as/group/$g/$call", \%body,
                            headers => ["X-User: $who"])->code, 'forbidden',
                   "$call by $who in another's name");
                is_deeply($t->snapshot, $before, 'changes no key');
            }
        }
    }
}


# --- removed while sends are in flight: stored before, or 403 after

sub at_once {   # runs each in a process of its own; what they return, as lines
    my @do = @_;
    pipe my $out, my $in;
    my @pid;
    for my $do (@do) {
        my $pid = fork // die "fork: $!";
        if (!$pid) {
            close $out;
            delete $t->{conn};
            my $rc = eval { syswrite $in, "$_\n" for $do->(); 1 };
            warn $@ if !$rc;
            POSIX::_exit($rc ? 0 : 1);
        }
        push @pid, $pid;
    }
    close $in;
    my @lines = map { chomp; $_ } <$out>;
    is(scalar(grep { waitpid($_, 0); $? } @pid), 0, 'all were answered');
    return @lines;
}

for my $round (1 .. 10) {
    my $g = $t->group(own => ['ann'], conv_id => "fly$round");
    my @lines = at_once((map { my $w = $_; sub {
        my @lines;
        for my $k (1 .. 40) {
            delete $t->{conn} if $k % 8 == 0;   # to the other worker
            my $r = $t->post('/im/send/msg', body('ann', '', "$w.$k",
                conv_id => $g, $k % 2 ? (client_msg_id => "$w.$k") : ()));
            push @lines, "$w.$k " . ($r->status == 200 ? $r->msg_id : $r->code);
            last if $r->status != 200;
        }
        @lines
    } } 1 .. 8), sub {
        select undef, undef, undef, 0.005 * $round;
        my $r = group_call($g, 'remove', from_id => 'own', member => ['ann']);
        'removed ' . $r->status . ' ' . $t->redis(GETRANGE => "im:{c:$g}:h", 1, 15) * 1;
    });
    my ($removed) = grep { /^removed/ } @lines;
    my (%acked, @code);
    for (grep { !/^removed/ } @lines) {
        my ($text, $id) = split;
        $id =~ /^\d+-/ ? ($acked{$id} = $text) : push @code, $id;
    }
    my %stored;
    for (my $no = 1; ; $no++) {
        my $page = $t->page($g, page_no => $no, page_size => 200);
        $stored{$_->{msg_id}} = $_->{msg} for @$page;
        last if @$page < 200;
    }
    my ($status, $last) = $removed =~ /^removed (\d+) (\d+)/;
    is($status, 200, 'removed');
    is_deeply(\%stored, \%acked, 'stored is what was answered with 200: '
              . keys(%acked));
    is_deeply([ grep { $_ ne 'not_member' } @code ], [], 'all else is 403');
    is(scalar(keys %stored), $last, 'nothing is stored after the removal');
}


# --- added and removed at the same time: a member has a place, in the end

for my $round (1 .. 8) {
    my $g = $t->group(own => [], conv_id => "churn$round");
    at_once(map({ my $n = $_; sub {
        for (1 .. 20) { $t->post('/im/add/group/merber',
            { conv_id => $g, member => ['ann', "b$n"] }) }
        ()
    } } 1 .. 2), sub {
        for (1 .. 20) { group_call($g, 'remove', from_id => 'own',
                                   member => [qw(ann b1 b2)]) }
        ()
    }, sub {
        for (1 .. 20) { group_call($g, 'leave', from_id => 'ann') }
        ()
    });
    my %member = map { $_ => 1 } @{ ids($g) };
    is_deeply([ sort keys %member ],
              [ sort @{ $t->redis(HKEYS => "im:{c:$g}:g") } ],
              'one and the same members');
    for my $user (qw(ann b1 b2)) {
        my $has = grep { $_ eq $g } @{ listed($user) };
        is($has, $member{$user} ? 1 : 0, "$user: listed if a member");
    }
}


# --- transfer and leave at once: a group is never without its owner

for my $round (1 .. 20) {
    my $g = $t->group(own => ['ann'], conv_id => "hand$round");
    my @lines = at_once(
        sub { group_call($g, 'transfer', from_id => 'own', to_id => 'ann')
              ->status },
        sub { group_call($g, 'leave', from_id => 'ann')->status });
    my %code;
    $code{$_}++ for @lines;
    ok($code{200} == 1 && ($code{403} || $code{409}), "one of the two: @lines");
    my $owner = $t->redis(HGET => "im:{c:$g}:x", 'owner');
    is(ids($g)->[0], $owner, 'the owner is a member');
}


# --- what a crash has left: the membership is gone, the place is not

for my $how (qw(list remove add)) {
    my $g = $t->group(own => ['ann'], conv_id => "crash-$how");
    $t->say_in(own => $g, 'x');
    my $total = $t->unread('ann') - 1;
    my $score = $t->redis(ZSCORE => 'im:{u:ann}:g', $g);
    done_ok($g, 'remove', from_id => 'own', member => ['ann']);
    $t->redis(ZADD => 'im:{u:ann}:g', $score - 61e6, $g);   # a minute ago

    is($t->unread('ann'), $total, "$how: is counted nowhere");
    if ($how eq 'list') {
        ok(!(grep { $_ eq $g } @{ listed('ann') }), 'is not listed');
    } elsif ($how eq 'remove') {
        done_ok($g, 'remove', from_id => 'own', member => ['ann']);
    } else {
        $t->add($g, 'ann');
        ok(scalar(grep { $_ eq $g } @{ listed('ann') }), 'is listed');
        is($t->unread_in(ann => $g), 0, 'with nothing unread');
        next;
    }
    ok($t->poll(2, sub { !defined $t->redis(ZSCORE => 'im:{u:ann}:g', $g) }),
       "$how: the place is given up");
}

{   # a place that is being taken now is not touched by removing again
    my $g = $t->group(own => [], conv_id => 'taking');
    $t->redis(ZADD => 'im:{u:ann}:g', time . '000000', $g);
    done_ok($g, 'remove', from_id => 'own', member => ['ann']);
    ok(defined $t->redis(ZSCORE => 'im:{u:ann}:g', $g), 'a new place stays');
}

{   # the place is of another type: nothing is half done
    my $g = $t->group(own => ['odd'], conv_id => 'odd');
    $t->redis(DEL => 'im:{u:odd}:g');
    $t->redis(SET => 'im:{u:odd}:g', 'x');
    my $before = $t->snapshot;
    is(group_call($g, 'leave', from_id => 'odd')->code, 'store_error',
       'leave: a place of another type');
    is(group_call($g, 'remove', from_id => 'own', member => ['odd'])->code,
       'store_error', 'remove: a place of another type');
    is_deeply($t->snapshot, $before, 'changes no key');
}

{   # no place at all
    my $g = $t->group(own => ['none'], conv_id => 'none');
    $t->redis(DEL => 'im:{u:none}:g');
    done_ok($g, 'leave', from_id => 'none');
    is_deeply(ids($g), ['own'], 'left');
}

{   # settings that the schema does not know
    my $g = $t->group(own => ['ann'], conv_id => 'strange');
    my $x = "im:{c:$g}:x";
    my $info = $t->redis(HGET => $x, 'info');
    $t->redis(HSET => $x, 'info', 'x');
    is(group_call($g, 'set', from_id => 'own', name => 'y')->code,
       'store_error', 'set: an info that is none');
    is($t->redis(HGET => $x, 'info'), 'x', 'stays');
    $t->redis(HSET => $x, 'info', $info);
    $t->redis(HDEL => $x, 'users');
    is($t->post("/im/group/$g/list", {})->code, 'store_error',
       'list: no users');
    $t->redis(HSET => $x, 'users', '"own","ann"', 'a:zoe', 'of no member');
    is_deeply($t->members($g), [ map { { id => $_, name => '', alias => '' } }
                                 qw(own ann) ], 'an alias of no member');
    $t->redis(HSET => $x, 'owner', 'zoe');
    is_deeply(ids($g), [qw(own ann)], 'an owner who is no member');
}

$t->done;
done_testing;
