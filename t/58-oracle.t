# What a user must not learn or guess: who talks to whom, ids of messages and
# groups to come; and what he must not take: an id that others count on.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Digest::SHA qw(sha1_hex);
use Test::More;
use Test::IM;

no warnings 'portable';

my $t = Test::IM->new(
    conf_server => <<'CONF',
        location /user/ { im_pass store; im_user $http_x_user; }
        location /v2/ { im_pass store; im_user $http_x_user; im_reply full; im_group_add owner; }
CONF
)->start;


# --- a 1:1 of others looks as if it did not exist, to every call

my $sent = $t->say(ann => 'bob', 'between us', client_msg_id => 'k');
my $last = $t->say(bob => 'ann', 'still');
my $there = $sent->conv_id;
my $none = substr sha1_hex('ann cyd'), 0, 24;
is(substr(sha1_hex('ann bob'), 0, 24), $there, 'an id that everybody can compute');

my ($id, $next) = ($sent->msg_id, $last->msg_id);

my @call = (
    [ 'conv/CONV',              {} ],
    [ 'conv/CONV',              { from_id => 'eve', page_no => 2, page_size => 1 } ],
    [ 'conv/CONV',              { before => $next } ],
    [ 'conv/CONV',              { after => '' } ],
    [ 'conv/CONV',              { after => $id } ],
    [ 'conv/CONV/read',         { from_id => 'eve' } ],
    [ 'conv/CONV/read',         { from_id => 'eve', msg_id => $id } ],
    [ 'conv/CONV/read',         { from_id => 'eve', msg_id => '1-0123456789abcdef' } ],
    [ 'conv/CONV/hide',         { from_id => 'eve' } ],
    [ 'conv/CONV/readers',      {} ],
    [ 'conv/CONV/readers',      { from_id => 'eve' } ],
    [ 'send/msg',               { conv_id => 'CONV', from_id => 'eve', msg => 'x', msg_type => 0 } ],
    [ 'send/msg',               { conv_id => 'CONV', from_id => 'eve', msg => 'between us',
                                  msg_type => 0, client_msg_id => 'k' } ],
    [ 'send/msg',               { conv_id => 'CONV', to_id => 'ann', from_id => 'eve', msg => 'x',
                                  msg_type => 0 } ],
    [ 'msg/recall',             { conv_id => 'CONV', msg_id => $id, from_id => 'eve' } ],
    [ 'msg/recall',             { conv_id => 'CONV', msg_id => '9-0123456789abcdef', from_id => 'eve' } ],
    [ 'add/group/merber',       { conv_id => 'CONV', member => ['eve'] } ],
    [ 'add/group/member',       { conv_id => 'CONV', member => [] } ],
    [ 'add/group/member',       { conv_id => 'CONV', member => [ map { "m$_" } 1 .. 501 ] } ],
    [ 'group/CONV/list',        {} ],
    [ 'group/CONV/alias',       { id => 'eve', alias => 'e' } ],
    [ 'group/CONV/alias',       { id => 'ann', alias => 'e' } ],
    [ 'group/CONV/set',         { from_id => 'eve', name => 'n' } ],
    [ 'group/CONV/leave',       { from_id => 'eve' } ],
    [ 'group/CONV/remove',      { from_id => 'eve', member => ['ann'] } ],
    [ 'group/CONV/remove',      { from_id => 'eve', member => ['eve'] } ],
    [ 'group/CONV/transfer',    { from_id => 'eve', to_id => 'ann' } ],
    [ 'group/CONV/dismiss',     { from_id => 'eve' } ],
);

sub answer {
    my ($base, $conv, $path, $body, $user) = @_;
    my %body = map { my $v = $body->{$_}; $_ => ref $v ? $v : $v =~ s/^CONV$/$conv/r } keys %$body;
    my $r = $t->post("/$base/" . ($path =~ s/CONV/$conv/r), \%body, headers => ["X-User: $user"]);
    my %h = %{ $r->headers };
    delete $h{date};
    return { status => $r->status, body => $r->body =~ s/$conv/CONV/gr, headers => \%h };
}

my $was = $t->snapshot;

for my $base (qw(user v2)) {
    for my $case (@call) {
        my ($path, $body) = @$case;
        my $what = "/$base/$path " . join ', ', map { ref $body->{$_} ? $_ : "$_ $body->{$_}" }
                                    sort keys %$body;
        my $got = answer($base, $there, $path, $body, 'eve');
        is_deeply($got, answer($base, $none, $path, $body, 'eve'), "$what: the same");
        if ($body->{to_id} && $path eq 'send/msg') {
            cmp_ok($got->{status}, '<', 404, 'for a reason that is not in the store');
            next;
        }
        is($got->{status}, 404, 'as 404');
        like($got->{body}, qr/"conv_not_found"/, 'conv_not_found');
    }
}

is_deeply($t->snapshot, $was, 'and nothing is written');

for my $case (@call) {
    my ($path, $body) = @$case;
    next if $path !~ /^conv/ && $path ne 'send/msg' || $body->{to_id} || $body->{client_msg_id};
    my %own = map { $_ => $body->{$_} eq 'eve' ? 'bob' : $body->{$_} } keys %$body;
    my $got = answer('user', $there, $path, \%own, 'bob');
    isnt($got->{body} =~ /conv_not_found/ ? 'hidden' : 'seen', 'hidden', "$path: its users see it");
}

is($t->post("/im/conv/$there/read", { from_id => 'eve' })->code, 'not_member',
   'a backend is told which it is');
is($t->post('/im/group/' . $t->group('ann', []) . '/list', {})->status, 200, 'a group');
is($t->post('/user/conv/' . $t->group('ann', []), {}, headers => ['X-User: eve'])->code,
   'not_member', 'of others is no secret: its id cannot be computed');


# --- ids that others count on

{
    $t->group('ann', [], conv_id => 'ward-7');
    my %said;
    for my $conv ('ward-7', 'ward-8', 'g0123') {
        for my $base (qw(user v2)) {
            my $r = $t->post("/$base/creat/group", { owner_id => 'eve', name => 'n',
                conv_id => $conv }, headers => ['X-User: eve']);
            is($r->status, 403, "a user may not choose $conv");
            $said{ $r->body }++;
        }
        is($t->redis('EXISTS', "im:{c:$conv}:h"), $conv eq 'ward-7' ? 1 : 0, 'nor take it');
    }
    is(scalar keys %said, 1, 'taken or not, the answer is the same');
    like((keys %said)[0], qr/"forbidden".*conv_id/, 'and says what is forbidden');

    my $own = $t->post('/user/creat/group', { owner_id => 'eve', name => 'n', conv_id => '' },
                       headers => ['X-User: eve']);
    is($own->status, 200, 'without one');
    like($own->conv_id, qr/^g[0-9a-f]{24}$/, 'it is a random one');
    is($t->post('/im/creat/group', { owner_id => 'eve', name => 'n', conv_id => 'ward-8' })->status,
       200, 'a backend may');
}


# --- ids to come cannot be told from those that were: all are of one worker

sub unshift_right {
    my ($z, $n) = @_;
    my $x = $z;
    $x = $z ^ ($x >> $n) for 1 .. 3;
    return $x;
}

sub times { use integer; return $_[0] * $_[1] }

sub minus { use integer; return $_[0] - $_[1] }

# the state of a splitmix64, an output of which anybody can turn back

sub state_of {
    my $z = shift;
    $z = unshift_right($z, 31);
    $z = unshift_right(main::times($z, 0x319642b2d24d8ec3), 27);
    return unshift_right(main::times($z, 0x96de1b173f119089), 30);
}

is(sprintf('%x', minus(map { state_of(hex) } qw(6e789e6aa1b965f4 e220a8397b1dcdaf))),
   '9e3779b97f4a7c15', 'two outputs of one are known by their states');

my @msg = map { (split /-/, $t->say(ann => 'bob', 'x')->msg_id)[1] } 1 .. 400;
my @group = map { substr $t->group('ann', []), 1 } 1 .. 200;

for my $case ([ messages => \@msg, 16 ], [ groups => \@group, 24 ]) {
    my ($name, $hex, $len) = @$case;
    my $n = @$hex;

    is(scalar(grep { /^[0-9a-f]{$len}$/ } @$hex), $n, "$name: $len hex digits");
    is(scalar keys %{ { map { $_ => 1 } @$hex } }, $n, 'all of them are different');

    my ($ones, @bit) = (0);
    for (@$hex) {
        my @b = split //, unpack 'B*', pack 'H*', $_;
        $ones += $_ for @b;
        $bit[$_] += $b[$_] for 0 .. $#b;
    }
    my $all = $n * 4 * $len;
    cmp_ok(abs($ones / $all - 0.5), '<', 0.02, 'half of their bits are set');
    is(scalar(grep { abs($_ / $n - 0.5) > 0.2 } @bit), 0, 'at each place');

    for my $order ('Q<', 'Q>') {
        my @z = map { unpack $order, pack 'H*', substr $_, 0, 16 } @$hex;
        my (%step, %state);
        for (1 .. $#z) {
            $step{ minus($z[$_], $z[$_ - 1]) }++;
            $state{ minus(state_of($z[$_]), state_of($z[$_ - 1])) }++;
        }
        is(scalar keys %step, $n - 1, "no two steps are the same ($order)");
        is(scalar keys %state, $n - 1, 'nor those of a generator that can be turned back');
    }
}

my %part = map { substr($_, 0, 16) => 1 } @group;
is(scalar(grep { $part{$_} } @msg), 0, 'ids of groups are not those of messages');

{
    my @was = map { $_->{msg_id} } @{ $t->page($there, page_size => 200) };
    $t->reload;
    my @now = map { (split /-/, $t->say(ann => 'bob', 'x')->msg_id)[1] } 1 .. 50;
    my %was = map { (split /-/, $_)[1] => 1 } @was;
    is(scalar(grep { $was{$_} } @now), 0, 'a new worker does not begin again');
}

$t->done;
done_testing;
