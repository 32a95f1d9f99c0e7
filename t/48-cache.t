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

sub site { Test::IM->new(one => 'it counts commands and changes rows', conf_http => "im_cache $_[0];", log_format => '$im_call $im_store_commands',
                         @_[1 .. $#_])->start }

# how many timelines were read
sub rows_asked { return $_[0]->redis(INFO => 'commandstats') =~ /^cmdstat_zrevrange:calls=(\d+)/m ? $1 : 0 }

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
    $t->profile('big', name => 'big', img => 'z' x 4000);
    is($t->call('/im/user/get', { ids => ['big'] })->json->[0]{img}, 'z' x 4000, 'a long value') for 1 .. 2;
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


# --- the newest messages of a conversation, kept for who asks again

{
    my $t = site('zone=z:1m', workers => 2, conf_im => 'im_reply full;');
    my $shows = sub {       # what a page shows, and whether its rows were asked for
        my ($name, $what, $asked, $path, $body) = @_;
        my $had = rows_asked($t);
        my $r = $t->call($path, { page_size => 10, %{ $body || {} } })->json;
        is(join(' ', map { $_->{msg} } @$r), $what, $name);
        is(rows_asked($t) - $had, $asked, "$name: rows " . ($asked ? 'asked for' : 'at hand'));
    };
    my $newest = sub { join ' ', reverse $_[0] .. $_[1] };

    $t->profile($_, name => "is $_", img => $_) for qw(a b);
    my $conv;
    $conv = $t->say(a => 'b', "$_")->conv_id for 1 .. 12;
    my ($pair, $by_a, $by_b) = ('/im/from/to', { from_id => 'a', to_id => 'b' }, { from_id => 'b', to_id => 'a' });

    $shows->('first', $newest->(3, 12), 1, $pair, $by_a);
    $shows->('again', $newest->(3, 12), 0, $pair, $by_a);
    $shows->('by its id', $newest->(3, 12), 0, "/im/conv/$conv");
    $shows->('fewer', '12 11 10', 0, "/im/conv/$conv", { page_size => 3 });
    $shows->('more', $newest->(1, 12), 1, "/im/conv/$conv", { page_size => 20 });
    $shows->('all, and all there are', $newest->(1, 12), 0, "/im/conv/$conv", { page_size => 200 });
    $shows->('the second page', '2 1', 1, "/im/conv/$conv", { page_no => 2 });

    is($t->unread('b'), 12, 'not read by the other yet');
    $shows->('the other', $newest->(3, 12), 0, $pair, $by_b);
    is($t->unread('b'), 0, 'and it is read then, though no row was asked for');
    $shows->('the other again', $newest->(3, 12), 0, $pair, $by_b);

    for my $n (13 .. 16) {
        delete $t->{conn};      # perhaps another worker
        $t->say($n % 2 ? 'a' : 'b', $n % 2 ? 'b' : 'a', "$n");
        $shows->("after message $n", $newest->($n - 9, $n), 1, "/im/conv/$conv");
        delete $t->{conn};
        $shows->('and again', $newest->($n - 9, $n), 0, "/im/conv/$conv");
    }

    $t->profile('a', name => 'renamed', img => 'new');
    is($t->page($conv)->[1]{user}{name}, 'renamed', 'a rename shows in it');

    # a group: who is no member sees nothing of it, who is one no more likewise
    my $group = $t->group(a => [qw(b c)]);
    $shows->('an empty group', '', 1, "/im/conv/$group") for 1, 2;
    $t->say_in(a => $group, "$_") for 1, 2;
    $shows->('a group', '2 1', 1, "/im/conv/$group");
    $shows->('again', '2 1', 0, "/im/conv/$group");
    is($t->unread_in(c => $group), 2, 'not read yet');
    $shows->('by a member', '2 1', 0, "/im/conv/$group", { from_id => 'c' });
    is($t->unread_in(c => $group), 0, 'read then');
    $shows->('by a member again', '2 1', 0, "/im/conv/$group", { from_id => 'c' });
    is($t->post("/im/conv/$group", { from_id => 'x' })->code, 'not_member', 'and by nobody else');

    # what Redis has lost is not shown, and what is said after that is
    $t->redis('FLUSHALL');
    is($t->post("/im/conv/$conv", {})->code, 'conv_not_found', 'gone');
    is($t->call($pair, $by_a)->body, '[]', 'nothing there');
    $t->say(a => 'b', "anew $_") for 1 .. 2;
    is_deeply([ map { $_->{msg} } @{ $t->pair('a', 'b') } ], [ 'anew 2', 'anew 1' ], 'a conversation begun anew');
    $t->done;
}

for my $how ('off', 'zone=z:32k', 'zone=z:256k') {
    my $t = site($how, workers => 2);
    my %last;
    for my $round (1 .. 3) {
        for my $n (1 .. 60) {
            my $text = "$round of $n " . 'x' x ($n * 9);
            $t->say("a$n", "b$n", $text);
            $last{$n} = $text;
        }
        for my $again (1, 2) {
            my @wrong = grep { my $r = $t->pair("b$_", "a$_"); @$r != $round || $r->[0]{msg} ne $last{$_} } 1 .. 60;
            is_deeply(\@wrong, [], "$how, round $round: the pages of 60 conversations");
        }
    }
    is(name_of($t, 'a1'), '', 'and others find room');
    $t->done;
}

# rows that are too long are asked for each time
{
    my $t = site('zone=z:1m');
    my $conv = $t->say(a => 'b', 'z' x 3900)->conv_id;
    my $had = rows_asked($t);       # of the setup
    for (1 .. 2) {
        is(length $t->page($conv)->[0]{msg}, 3900, 'a long message');
        is(rows_asked($t) - $had, $_, 'and its row asked for');
    }
    $t->done;
}

done_testing;
