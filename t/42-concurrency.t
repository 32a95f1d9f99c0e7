# 8 writers into one conversation, over 2 workers.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use POSIX ();
use Test::More;
use Test::IM;

my $t = Test::IM->new(
    workers => 2,
    conf_im => 'im_reply full;',
)->start;

my ($writers, $each) = (8, 100);


# every writer sends $each messages on connections of its own; what was
# acknowledged comes back as [ writer, number, response body ]

sub race {
    my ($send) = @_;
    pipe my $out, my $in;
    my @pid;
    for my $w (1 .. $writers) {
        my $pid = fork // die "fork: $!";
        if (!$pid) {
            close $out;
            my $rc = eval {
                for my $n (1 .. $each) {
                    delete $t->{conn} if $n % 10 == 0;  # to the other worker
                    my $body = $send->($w, $n)->body;
                    syswrite $in, "$w $n $body\n";
                }
                1;
            };
            warn $@ if !$rc;
            POSIX::_exit($rc ? 0 : 1);
        }
        push @pid, $pid;
    }
    close $in;
    my @acked = map { chomp; [ split ' ', $_, 3 ] } <$out>;
    my $failed = grep { waitpid($_, 0); $? } @pid;
    is($failed, 0, 'all writers were answered 200');
    return @acked;
}


sub whole {     # the conversation, oldest first
    my ($conv) = @_;
    my @all;
    for (my $n = 1; ; $n++) {
        my $page = $t->page($conv, page_no => $n, page_size => 200);
        push @all, @$page;
        return reverse @all if @$page < 200;
    }
}


sub timeline_ok {
    my ($name, $conv, @acked) = @_;
    my @all = whole($conv);
    my $total = $writers * $each;

    is(scalar @acked, $total, "$name: $total acknowledged");
    is(scalar @all, $total, 'as many stored');
    my %ids = map { $_->{msg_id} => 1 } @all;
    is(scalar keys %ids, $total, 'distinct msg_id');
    my %texts = map { $_->{msg} => 1 } @all;
    is(scalar keys %texts, $total, 'distinct texts');
    is_deeply([ map { $_->{seq} } @all ], [ 1 .. $total ],
              'sequence from 1 without gaps');
    is(scalar(grep { $all[$_]{from_time} < $all[$_ - 1]{from_time} }
              1 .. $#all), 0, 'from_time never backwards');

    for my $w (1 .. $writers) {
        is_deeply([ grep { /^w$w-/ } map { $_->{msg} } @all ],
                  [ map { "w$w-$_" } 1 .. $each ], "writer $w kept its order");
    }

    my %by_id = map { $_->{msg_id} => $_ } @all;
    my @wrong = grep {
        my ($w, $n, $body) = @$_;
        my ($id) = $body =~ /"msg_id":"([^"]+)"/;
        my ($seq) = $body =~ /"seq":(\d+)/;
        !$by_id{$id} || $by_id{$id}{msg} ne "w$w-$n"
            || $by_id{$id}{seq} != $seq
    } @acked;
    is(scalar @wrong, 0, 'every answer told its own message');
    return @all;
}


# --- a group: all writers are members

my @names = map { "w$_" } 1 .. $writers;
my $group = 'all';
$t->group('owner', [ @names, 'reader' ], conv_id => $group);

my @all = timeline_ok('group', $group, race(sub {
    my ($w, $n) = @_;
    return $t->say_in("w$w" => $group, "w$w-$n");
}));

is($t->unread_in($_ => $group), 800, "unread of $_") for qw(owner reader);
for my $w (1 .. $writers) {
    my ($last) = grep { $all[$_ - 1]{from_id} eq "w$w" } reverse 1 .. 800;
    is($t->unread("w$w"), 800 - $last, "unread of w$w: after its own last");
}
is($t->list('reader')->[0]{last_msg}, $all[-1]{msg}, 'the last message');
is($t->list('reader')->[0]{last_time}, $all[-1]{from_time}, 'and its time');


# --- a conversation of two that is made by this

my $conv;
@all = timeline_ok('pair', do {
    my @acked = race(sub {
        my ($w, $n) = @_;
        return $t->say($w % 2 ? ('ann', 'bob') : ('bob', 'ann'), "w$w-$n");
    });
    ($conv) = $acked[0][2] =~ /"conv_id":"(\w+)"/;
    ($conv, @acked);
});
for my $user (qw(ann bob)) {
    my ($last) = grep { $all[$_ - 1]{from_id} eq $user } reverse 1 .. 800;
    is($t->unread($user), 800 - $last, "unread of $user");
}


# --- readers among the writers: never below 0, exact afterwards

my $busy = 'busy';
$t->group('owner', [ @names, 'reader' ], conv_id => $busy);
race(sub {
    my ($w, $n) = @_;
    if ($w > 6) {
        my $r = $n % 3 == 0 ? $t->mark(reader => $busy)
              : $n % 3 == 1 ? $t->call("/im/conv/$busy",
                                       { from_id => 'reader' })
              :               $t->call('/im/unread', { from_id => 'reader' });
        die "unread: " . $r->body if $r->body =~ /"total":-/;
        return $r;
    }
    return $t->say_in("w$w" => $busy, "w$w-$n");
});
is($t->unread_in(owner => $busy), 600, 'the owner read nothing');
my $before = $t->unread_in(reader => $busy);
ok($before >= 0 && $before <= 600, "the reader read all but $before");
$t->mark(reader => $busy);
is($t->unread_in(reader => $busy), 0, 'and the rest');
$t->say_in(w1 => $busy, 'one more');
is($t->unread_in(reader => $busy), 1, 'one more');


# --- members added while others write and add

my $join = 'join';
$t->group('owner', [@names], conv_id => $join);
race(sub {
    my ($w, $n) = @_;
    return $w % 2 ? $t->say_in("w$w" => $join, "w$w-$n")
                  : $t->add($join, "new$w-" . int($n / 3), "both-" . $n % 7);
});
my $members = $t->members($join);
my %once = map { $_->{id} => 1 } @$members;
is(scalar @$members, scalar keys %once, 'every member is there once');
is(scalar @$members, 1 + 8 + 4 * 34 + 7, 'and none is missing');
is($members->[0]{id}, 'owner', 'the owner first');
is($t->unread_in(owner => $join), 400, 'nothing is lost by it');
my $over = grep { $t->unread("new2-$_") > 400 } 0 .. 33;
is($over, 0, 'unread of those who joined');

$t->done;
done_testing;
