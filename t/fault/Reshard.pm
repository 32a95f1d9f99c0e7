package Reshard;

# What t/fault/reshard and the suite do with a cluster under load.

use strict;
use warnings;

use List::Util qw(shuffle);
use Time::HiRes qw(sleep time);

use Test::IM;


sub stats { $_[0]->get('/status')->json->{total}{stores}{store} }


# Moves so many slots, those of the conversations of the history first; what
# the module has counted meanwhile.

sub run {
    my ($t, $h, $n) = @_;
    my $c = $t->cluster;
    my %seen;
    my @slots = grep { !$seen{$_}++ }
        (map { Test::IM::Cluster::slot("im:{c:$_}:h") } values %{ $h->{id} }),
        (map { Test::IM::Cluster::slot("im:{u:w$_}:i") } 1 .. $h->{writers}),
        shuffle(0 .. $Test::IM::Cluster::SLOTS - 1);
    my $before = stats($t);
    my $had = () = $t->access_log =~ /\n/g;
    my $start = time;

    my @primaries = $c->primaries;
    for my $slot (@slots[0 .. $n - 1]) {
        my $from = $c->owner($slot);
        my @other = grep { $_ != $from } @primaries;
        $c->migrate($slot, $other[rand @other], keys => 1 + int rand 10);
    }

    my $now = stats($t);
    my $requests = (() = $t->access_log =~ /\n/g) - $had;
    return { seconds => time - $start, requests => $requests,
             map { ($_ => $now->{$_} - $before->{$_}) }
                 qw(redirects_moved redirects_ask tries_again
                    slot_refreshes) };
}


# requests that were answered with a 5xx, or not at all

sub failed {
    my ($t) = @_;
    return scalar grep { m{ HTTP/1\.\d (?:5\d\d|499) } }
           split /\n/, $t->access_log;
}


# Kills the primary of a conversation; how long it is until a send there is
# served again, and what the others notice.

sub kill_primary {
    my ($t, $h) = @_;
    my $c = $t->cluster;
    my ($dead) = grep { $_->{pid} } $c->primaries;
    my (@here, @there);

    for my $n (1 .. 500) {
        my $id = "kill$n";
        my $owner = $c->owner(Test::IM::Cluster::slot("im:{c:$id}:h"));
        my $mine = $c->owner(Test::IM::Cluster::slot("im:{u:k$n}:g"));
        next if $mine == $dead;
        my $list = $owner == $dead ? \@here : \@there;
        push @$list, [ "k$n", $id ] if @$list < 4;
    }
    for (@here, @there) {
        $t->call('/im/creat/group', { owner_id => $_->[0], conv_id => $_->[1],
                                      member => [], name => 'k' });
    }

    my $say = sub {
        my $start = time;
        my $r = $t->post('/im/send/msg', { from_id => $_[0][0], msg => 'x',
                                     conv_id => $_[0][1], msg_type => 0 });
        return ($r && $r->status, time - $start);
    };
    my (@before, @times, $failed, $back);

    push @before, ($say->($there[$_ % @there]))[1] for 1 .. 300;

    $dead->kill('KILL');
    my $start = time;
    while (!$back && time - $start < 60 * $Test::IM::SCALE) {
        my ($status, $s) = $say->($there[rand @there]);
        push @times, $s;
        $failed++ if $status != 200;
        ($status) = $say->($here[rand @here]);
        $back = time if $status == 200;
        sleep 0.01;
    }

    return { seconds => ($back || time) - $start, failed => $failed || 0,
             back => $back, timeout => $c->{timeout} * $Test::IM::SCALE / 1000,
             requests => scalar @times, p99 => p99(@times),
             before => p99(@before) };
}


sub p99 { my @s = sort { $a <=> $b } @_; return 1000 * $s[$#s * 0.99] }


1;
