# A conversation that a user hides is not listed and not counted for that user
# until its next message, whoever sends it.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Test::IM;

my $t = Test::IM->new(workers => 2, conf_server => <<'CONF')->start;
        location /who/ { im_pass store; im_user $http_x_user; }
        location /few/ { im_pass store; im_list_max 3; }
CONF

sub listed {
    my ($user, $base) = @_;
    return join ' ', sort map { $_->{conv_id} }
        @{ $t->call(($base || '/im') . '/conv/list', { from_id => $user })->json };
}

my $ab = $t->say(ann => 'bob', 'one')->conv_id;
my $ba = $t->say(zoe => 'ann', 'one')->conv_id;     # ann is the first of the two
my $gr = $t->group(ann => [qw(bob cid)]);
my $said = $t->say_in(ann => $gr, 'in the group', client_msg_id => 'k');
my $new = $t->group(ann => ['bob']);
my %of = (ann => [ $ab, $ba, $gr, $new ], bob => [ $ab, $gr, $new ], cid => [ $gr ], zoe => [ $ba ]);
my %left = (ann => 1, bob => 2, cid => 1, zoe => 0);
my %count = ("ann $ba" => 1, "bob $ab" => 1, "bob $gr" => 1, "cid $gr" => 1);

sub others_see {    # all see all theirs, but one user not what is hidden
    my ($what, $user, @hidden) = @_;
    my %hidden = map { $_ => 1 } @hidden;
    for my $u (sort keys %of) {
        my @want = sort grep { $u ne $user || !$hidden{$_} } @{ $of{$u} };
        is(listed($u), "@want", "$what: list of $u");
        my $sum = 0;
        $sum += $count{"$u $_"} || 0 for @want;
        is($t->unread($u), $sum, "$what: total of $u");
    }
}

others_see('at first', '');

for my $case ([ bob => $ab ], [ ann => $ba ], [ zoe => $ba ], [ ann => $ab ],
              [ bob => $gr ], [ cid => $gr ], [ ann => $gr ], [ bob => $new ]) {
    my ($user, $conv) = @$case;
    is($t->hide($user => $conv)->body, '{}', "$user hides");
    others_see('hidden', $user, $conv);
    my $shot = $t->snapshot;
    $t->hide($user => $conv);
    is_deeply($t->snapshot, $shot, 'again: nothing changes');
    ok(defined $t->page($conv), 'its pages are there');

    # what is no message does not bring it back
    my $n = @{ $t->page($conv) };
    if ($conv eq $gr) {
        $t->say_in(ann => $gr, 'in the group', client_msg_id => 'k');
        $t->recall(ann => $gr, $said->msg_id);
        $t->add($gr, 'cid');
    }
    others_see('still hidden', $user, $conv);
    is(@{ $t->page($conv) }, $n, 'nothing was sent');

    # reading does not, either
    if ($n) {
        $t->page($conv, from_id => $user);
        delete $count{"$user $conv"};
        others_see('read', $user, $conv);
        $t->hide($user => $conv);
        others_see('hidden when it is read', $user, $conv);
    }

    # the next message does, the own one too
    my $from = $case->[0] eq 'cid' || $case->[0] eq 'zoe' ? $user : $user eq 'ann' ? 'bob' : 'ann';
    $from = 'zoe' if $conv eq $ba && $user eq 'ann';
    $t->say_in($from => $conv, 'next');
    for my $u (grep { my $u = $_; $u ne $from && grep { $_ eq $conv } @{ $of{$u} } } keys %of) {
        $count{"$u $conv"}++;
    }
    delete $count{"$from $conv"};
    others_see("a message of $from", '');
}

# both users of a 1:1, each for himself; one's own message is enough for both
$t->hide($_ => $ab) for qw(ann bob);
is(listed('ann') =~ /$ab/ || listed('bob') =~ /$ab/ || 0, 0, 'hidden by both');
$t->say(bob => 'ann', 'back');
like(listed($_), qr/$ab/, "and back for $_") for qw(ann bob);


# --- a short list is filled up with what is not hidden

my @peer = map { "p$_" } 10 .. 29;
my %conv = map { $_ => $t->say($_ => 'doc', "of $_")->conv_id } @peer;
my @groups = map { $t->group(doc => ["m$_"]) } 1 .. 4;
my $all = $t->list('doc');
is(@$all, 24, 'all of them');
while (@$all) {
    is_deeply($t->call('/few/conv/list', { from_id => 'doc' })->json,
              [ grep { defined } my @first = @$all[0 .. 2] ], @$all . ' are left');
    $t->hide(doc => $_->{conv_id}) for splice @$all, 0, 1 + rand 4;
    is_deeply($t->list('doc'), $all, 'in the long list, too');
    my $sum = 0;
    $sum += $_->{unread_count} for @$all;
    is($t->unread('doc'), $sum, 'and the total');
}
$t->say(p17 => 'doc', 'I am back');
is_deeply($t->texts([ map { { msg => $_->{last_msg} } } @{ $t->list('doc') } ]),
          ['I am back'], 'one is there again');


# --- a group hidden by who has joined and read nothing

my $late = $t->group(ann => ['bob']);
$t->say_in(ann => $late, 'before') for 1 .. 3;
$t->add($late, 'dan');
$t->hide(dan => $late);
is(listed('dan'), '', 'hidden');
$t->mark(dan => $late);
is(listed('dan'), '', 'read, and hidden');
is_deeply({ @{ $t->readers($late) } }->{dan}, $t->page($late)->[0]{msg_id}, 'read');
$t->say_in(bob => $late, 'after');
is(listed('dan'), $late, 'and there again');
is($t->unread('dan'), 1, 'with one unread');

run_blocks($t, undef, { ab => $ab, g => $gr });
$t->done;
done_testing;

__DATA__
=== a stranger to a 1:1
--- call
/im/conv/{{ab}}/hide
--- json
{"from_id":"eve"}
--- code
not_member

=== a stranger to a group
--- call
/im/conv/{{g}}/hide
--- json
{"from_id":"eve"}
--- code
not_member

=== a stranger who is known, a 1:1
--- call
/who/conv/{{ab}}/hide
--- request_header
X-User: eve
--- json
{"from_id":"eve"}
--- code
conv_not_found

=== a stranger who is known, a group
--- call
/who/conv/{{g}}/hide
--- request_header
X-User: eve
--- json
{"from_id":"eve"}
--- code
not_member

=== in another's name
--- call
/who/conv/{{ab}}/hide
--- request_header
X-User: eve
--- json
{"from_id":"ann"}
--- code
forbidden
--- error_like
from_id

=== in the own name
--- call
/who/conv/{{ab}}/hide
--- request_header
X-User: ann
--- json
{"from_id":"ann"}
--- answer
{}

=== no such conversation
--- call
/im/conv/nosuch/hide
--- json
{"from_id":"ann"}
--- code
conv_not_found

=== no such 1:1
--- call
/im/conv/0123456789abcdef01234567/hide
--- json
{"from_id":"ann"}
--- code
conv_not_found

=== nobody
--- call
/im/conv/{{ab}}/hide
--- json
{}
--- code
bad_request
--- error_like
from_id

=== no id
--- call
/im/conv/a%20b/hide
--- json
{"from_id":"ann"}
--- code
bad_request
