# The profile cache: off, too small, full of long values, through a reload.
# Answers do not depend on it.

use strict;
use warnings;
use utf8;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Time::HiRes qw(sleep time);
use Test::IM;

my $scale = $Test::IM::SCALE;

sub site { Test::IM->new(conf_http => "im_profile_cache $_[0];", log_format => '$im_call $im_store_commands',
                         @_[1 .. $#_])->start }

sub name_of { my ($t, $user) = @_; return $t->call('/im/user/get', { ids => [$user] })->json->[0]{name} }

# what the n-th of these calls asked of the store; it is logged after its answer
sub commands_of {
    my ($t, $call, $n) = @_;
    my @all;
    $t->poll(2, sub { @all = $t->access_log =~ /^$call (\d+)/mg; @all >= $n });
    return $all[$n - 1];
}


# --- a small story, told alike whatever the cache is

sub story {
    my ($t) = @_;
    my @seen;
    my $see = sub {
        my ($path, $body) = @_;
        my $r = $t->call($path, $body)->body;
        $r =~ s/"(?:msg_id|conv_id)":"[^"]*"/"id":""/g;
        $r =~ s/_time":\d+/_time":0/g;
        push @seen, "$path $r";
    };
    $t->call('/im/creat/group', { conv_id => 'room', owner_id => 'a', name => 'room', member => [qw(b c)] });
    for my $round (1 .. 3) {
        $t->profile($_, name => "name of $_, $round", img => "$_$round") for qw(a b c);
        $t->say(a => 'b', "hello $round");
        sleep 0.002;
        $t->call('/im/send/msg', { from_id => $round == 2 ? 'c' : 'b', conv_id => 'room', msg => "all $round", msg_type => 0 });
        sleep 0.002;
        $see->('/im/conv/list', { from_id => $_ }) for qw(a b c);
        $see->('/im/unread', { from_id => 'b' });
        $see->('/im/from/to', { from_id => 'b', to_id => 'a' });
        $see->('/im/conv/room', { from_id => 'c' });
        $see->('/im/group/room/list', {});
        $see->('/im/user/get', { ids => [qw(a b c nobody)] });
    }
    return join "\n", @seen;
}

my %told;
for my $how ('off', 'zone=z:32k', 'zone=z:1m') {
    my $t = site($how);
    $told{$how} = story($t);
    if ($how eq 'off') {
        sleep 1.2 * $scale;
        my $had = 6;        # sends of the story
        for (1 .. 3) {
            $t->say(a => 'b', 'again');
            is(commands_of($t, 'send', ++$had), 3, 'off: every send writes both inboxes');
        }
    }
    $t->done;
}
like($told{off}, qr/name of c, 3/, 'names are told');
like($told{off}, qr/"last_user_name":"name of c, 2"/, 'those of senders too');
is($told{$_}, $told{off}, "$_: the same answers as with the cache off") for 'zone=z:32k', 'zone=z:1m';


# --- more than fits

{
    my $t = site('zone=z:32k', workers => 2);
    my @user = map { sprintf 'user%03d', $_ } 1 .. 300;
    my %name = map { $_ => "$_ " . 'x' x (ord(substr $_, -1) * 4) } @user;
    my @long = map { "long$_" } 1 .. 20;
    $name{$_} = "$_ " . 'y' x 100 for @long;
    $t->call('/im/user/set', { users => [ map { { id => $_, name => $name{$_}, img => 'i' x ($_ =~ /long/ ? 1000 : 9) } }
                                          @user[$_ * 100 .. $_ * 100 + 99] ] }) for 0 .. 2;
    $t->call('/im/user/set', { users => [ map { { id => $_, name => $name{$_}, img => 'i' x 1000 } } @long[0 .. 9] ] });
    $t->call('/im/user/set', { users => [ map { { id => $_, name => $name{$_}, img => 'i' x 1000 } } @long[10 .. 19] ] });
    for my $round (1 .. 2) {
        my @got = map { @{ $t->call('/im/user/get', { ids => $_ })->json } } [ @user[0 .. 149] ], [ @user[150 .. 299] ], \@long;
        is_deeply({ map { $_->{id} => $_->{name} } @got }, \%name, "round $round: 320 names in 32 KB");
    }
    $t->profile($long[3], name => 'new');
    is(name_of($t, $long[3]), 'new', 'a rename shows in a full cache too') for 1 .. 4;

    # an image so long that it is not kept
    $t->profile('big', name => 'big', img => 'z' x 3000);
    is($t->call('/im/user/get', { ids => ['big'] })->json->[0]{img}, 'z' x 3000, 'a long value') for 1 .. 2;
    isnt(commands_of($t, 'user_get', 12), 0, 'is asked for each time');

    $t->reload;
    is(name_of($t, $user[0]), $name{ $user[0] }, 'after a reload');
    $t->done;
}


# --- a group whose last sender nobody here has heard of

{
    my $t = site('off');
    $t->call('/im/creat/group', { conv_id => 'g', owner_id => 'a', name => 'g', member => [qw(b)] });
    $t->profile('b', name => 'Bea');
    $t->call('/im/send/msg', { from_id => 'b', conv_id => 'g', msg => 'x', msg_type => 0 });
    is($t->call('/im/conv/list', { from_id => 'a' })->json->[0]{last_user_name}, 'Bea',
       'the name of the last sender of a group');
    $t->done;
}

done_testing;
