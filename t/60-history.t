# The history checker, checked: what it must report is planted, one defect at a
# time; then a real run, in which it must report nothing.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib", "$FindBin::Bin/fault";

use Storable qw(dclone);
use Test::More;
use Time::HiRes qw(sleep);

use History;
use Test::IM;


# --- a history in which all is well

my $g = 'g1';
my $p = 'ann|bob';

my @sends = (
    # from conv text cid status id t0 t1
    [ ann => $g, 'a1', '',   200, '1-x', 1, 2 ],
    [ bob => $g, 'b1', '',   200, '2-x', 3, 4 ],
    [ ann => $g, 'a2', 'c2', 504, 'outcome_unknown', 5, 6 ],
    [ ann => $g, 'a2', 'c2', 200, '3-x', 7, 8 ],
    [ bob => $g, 'b2', '',   503, 'store_unavailable', 7, 8 ],
    [ bob => $g, 'b3', '',   504, 'outcome_unknown', 9, 10 ],
    [ bob => $g, 'b4', '',   504, 'outcome_unknown', 11, 12 ],
    [ bob => $g, 'b5', '',   0,   '', 13, 14 ],
    [ ann => $g, 'a3', '',   413, 'msg_too_long', 9, 10 ],
    [ ann => $p, 'p1', '',   200, '1-y', 11, 12 ],
    [ ann => $p, 'p2', '',   200, '2-y', 13, 14 ],
    [ bob => $p, 'p3', '',   200, '3-y', 15, 16 ],
    [ ann => 'ann|new', 'n1', '', 504, 'outcome_unknown', 17, 18 ],
);

sub line {      # of a timeline, oldest first
    my $n = 0;
    return [ map { $n++; { id => $_->[0], from => $_->[1], text => $_->[2],
                           time => 100 + $n, seq => $n } } @_ ];
}

my %good = (
    send => [ map { my %s; @s{qw(from conv text cid status id t0 t1)} = @$_; \%s } @sends ],
    read => [
        { conv => $g, ids => [ '2-x', '1-x' ], t0 => 4.5, t1 => 4.6 },
        { conv => $g, ids => [ '4-x', '3-x', '2-x' ], t0 => 20, t1 => 21 },
        { conv => $p, ids => [], t0 => 0.5, t1 => 11.5 },
    ],
    mark => [
        { user => 'cyd', conv => $g, status => 200, id => '2-x' },
        { user => 'cyd', conv => $g, status => 200, id => '1-x' },
        { user => 'cyd', conv => $g, status => 503, id => '4-x' },
        { user => 'ann', conv => $p, status => 200, id => '' },
    ],
    members => { $g => [qw(ann bob cyd)], $p => [qw(ann bob)],
                 'ann|new' => [qw(ann new)] },
    timeline => {
        $g => line([ '1-x', 'ann', 'a1' ], [ '2-x', 'bob', 'b1' ],
                   [ '3-x', 'ann', 'a2' ], [ '4-x', 'bob', 'b4' ]),
        $p => line([ '1-y', 'ann', 'p1' ], [ '2-y', 'ann', 'p2' ], [ '3-y', 'bob', 'p3' ]),
        'ann|new' => [],
    },
    list => {
        ann => [ { conv => $g, last => 'b4', time => 104, unread => 1 },
                 { conv => $p, last => 'p3', time => 103, unread => 1 } ],
        bob => [ { conv => $g, last => 'b4', time => 104, unread => 0 },
                 { conv => $p, last => 'p3', time => 103, unread => 0 } ],
        cyd => [ { conv => $g, last => 'b4', time => 104, unread => 2 } ],
    },
    total => { ann => 2, bob => 0, cyd => 2 },
);

my $r = History::judge(\%good);
is(History::summary($r), '', 'nothing to report') or diag explain $r->{notes};
is_deeply([ @$r{qw(acked refused unknown reads)} ], [ 6, 2, 4, 3 ], 'counts');


# --- with one defect each

# what it is; what the checker must say, and may say no more; how to plant it
my @planted = (
    [ 'an acknowledged message is gone', 'lost vanished gap',
      sub { splice @{ $_[0]{timeline}{$g} }, 1, 1 } ],
    [ 'the last one is gone', 'lost wrong_list wrong_unread',
      sub { pop @{ $_[0]{timeline}{$p} } } ],
    [ 'a retried one is gone', 'lost gap vanished wrong_unread',
      sub { splice @{ $_[0]{timeline}{$g} }, 2, 1 } ],
    [ 'acknowledged into one conversation, stored in another',
      'lost phantom wrong_list wrong_unread',
      sub { my $d = shift; my $m = pop @{ $d->{timeline}{$p} };
            push @{ $d->{timeline}{'ann|new'} }, { %$m, seq => 1 } } ],
    [ 'a message twice', 'doubled wrong_unread wrong_list',
      sub { my $l = $_[0]{timeline}{$p};
            push @$l, { %{ $l->[1] }, id => '4-y', seq => 4, time => 104 } } ],
    [ 'an unknown one twice', 'doubled wrong_unread wrong_list',
      sub { my $l = $_[0]{timeline}{$g};
            push @$l, { %{ $l->[3] }, id => '5-x', seq => 5, time => 105 } } ],
    [ 'a retried one twice', 'doubled wrong_unread wrong_list',
      sub { my $l = $_[0]{timeline}{$g};
            push @$l, { %{ $l->[2] }, id => '5-x', seq => 5, time => 105 } } ],
    [ 'refused with 503, and there', 'phantom', sub { $_[0]{timeline}{$g}[3]{text} = 'b2';
            $_->{last} = 'b2' for map { $_->[0] } values %{ $_[0]{list} } } ],
    [ 'refused with 413, and there', 'phantom', sub { my $d = shift;
            @{ $d->{timeline}{$g}[3] }{qw(text from)} = qw(a3 ann);
            $_->{last} = 'a3' for map { $_->[0] } values %{ $d->{list} };
            $d->{list}{ann}[0]{unread} = 0; $d->{list}{bob}[0]{unread} = 2;
            @{ $d->{total} }{qw(ann bob)} = (1, 2) } ],
    [ 'no connection, and there', 'phantom',
      sub { my $s = $_[0]{send}[6]; @$s{qw(status id)} = (-1, '') } ],
    [ 'never sent', 'phantom', sub { $_[0]{timeline}{$g}[3]{text} = 'zz';
            $_->{last} = 'zz' for map { $_->[0] } values %{ $_[0]{list} } } ],
    [ 'a writer out of order', 'out_of_order', sub { my $l = $_[0]{timeline}{$p};
            @{ $l->[0] }{qw(id text)} = ('2-y', 'p2'); @{ $l->[1] }{qw(id text)} = ('1-y', 'p1') } ],
    [ 'time runs backwards', 'out_of_order', sub { $_[0]{timeline}{$g}[1]{time} = 50 } ],
    [ 'a page in another order', 'out_of_order',
      sub { $_[0]{read}[1]{ids} = [ '4-x', '2-x', '3-x' ] } ],
    [ 'a page with a hole', 'out_of_order', sub { $_[0]{read}[1]{ids} = [ '4-x', '2-x' ] } ],
    [ 'a page without what was acknowledged before', 'stale',
      sub { $_[0]{read}[1]{ids} = [ '2-x', '1-x' ] } ],
    [ 'an empty page after an acknowledgement', 'stale', sub { $_[0]{read}[2]{t0} = 13 } ],
    [ 'seen, then gone', 'vanished', sub { $_[0]{read}[0]{ids} = [ '9-x', '2-x', '1-x' ] } ],
    [ 'a gap in the sequence', 'gap', sub { $_[0]{timeline}{$g}[3]{seq} = 5 } ],
    [ 'the sequence starts at 0', 'gap', sub { $_->{seq}-- for @{ $_[0]{timeline}{$p} } } ],
    [ 'unread one too many', 'wrong_unread', sub { $_[0]{list}{cyd}[0]{unread}++; $_[0]{total}{cyd}++ } ],
    [ 'unread one too few', 'wrong_unread', sub { $_[0]{list}{ann}[1]{unread}--; $_[0]{total}{ann}-- } ],
    [ 'an own message unread', 'wrong_unread', sub { $_[0]{list}{bob}[1]{unread}++; $_[0]{total}{bob}++ } ],
    [ 'marked back', 'wrong_unread', sub { $_[0]{list}{cyd}[0]{unread} = 3; $_[0]{total}{cyd} = 3 } ],
    [ 'a refused mark took effect', 'wrong_unread',
      sub { $_[0]{list}{cyd}[0]{unread} = 0; $_[0]{total}{cyd} = 0 } ],
    [ 'the sum of unread', 'wrong_unread', sub { $_[0]{total}{ann}++ } ],
    [ 'a conversation not listed', 'missing wrong_unread', sub { pop @{ $_[0]{list}{bob} };
            $_[0]{total}{bob} = 1 } ],
    [ 'a group not listed', 'missing', sub { $_[0]{list}{cyd} = []; $_[0]{total}{cyd} = 0 } ],
    [ 'listed twice', 'wrong_list', sub { push @{ $_[0]{list}{bob} }, $_[0]{list}{bob}[1] } ],
    [ 'listed for a stranger', 'wrong_list',
      sub { push @{ $_[0]{list}{cyd} }, { conv => $p, last => 'p3', time => 103, unread => 3 };
            $_[0]{total}{cyd} += 3; push @{ $_[0]{mark} }, () } ],
    [ 'the list in another order', 'wrong_list', sub { $_[0]{list}{ann} = [ reverse @{ $_[0]{list}{ann} } ] } ],
    [ 'the list with another last message', 'wrong_list', sub { $_[0]{list}{ann}[1]{last} = 'p2' } ],
    [ 'the list with another time', 'wrong_list', sub { $_[0]{list}{ann}[1]{time} = 102 } ],
    [ 'another id than acknowledged', 'mismatch vanished',
      sub { $_[0]{timeline}{$g}[1]{id} = '2-z' } ],
    [ 'acknowledged with two ids', 'mismatch',
      sub { @{ $_[0]{send}[2] }{qw(status id)} = (200, '9-x') } ],
    [ 'another sender than it was', 'mismatch', sub { my $d = shift;
            $d->{timeline}{$g}[0]{from} = 'cyd'; } ],
);

for (@planted) {
    my ($what, $codes, $plant) = @$_;
    my $d = dclone(\%good);
    $plant->($d);
    my $r = History::judge($d);
    my ($first, @may) = split ' ', $codes;
    my %may = map { $_ => 1 } $first, @may;
    ok($r->{$first}, "$what: $first");
    is_deeply([ grep { $r->{$_} && !$may{$_} } History::defects() ], [], 'and no other thing')
        or diag explain $r->{notes};
}


# --- what is not a defect

my @allowed = (
    [ 'an unknown one stored',
      sub { push @{ $_[0]{timeline}{'ann|new'} }, @{ line([ '1-n', 'ann', 'n1' ]) } } ],
    [ 'an unknown one not stored', sub {
            pop @{ $_[0]{timeline}{$g} }; $_[0]{read}[1]{ids} = [ '3-x', '2-x' ];
            for my $u (qw(ann bob cyd)) {
                my ($row, $n) = ($_[0]{list}{$u}[0], { ann => 0, bob => 1, cyd => 1 }->{$u});
                $_[0]{total}{$u} += $n - $row->{unread};
                @$row{qw(last time unread)} = ('a2', 103, $n);
            }
        } ],
    [ 'a mark without an answer, done',
      sub { $_[0]{mark}[2]{status} = 504; $_[0]{list}{cyd}[0]{unread} = 0; $_[0]{total}{cyd} = 0 } ],
    [ 'a mark without an answer, not done', sub { $_[0]{mark}[2]{status} = 0 } ],
    [ 'a page that ends with what came in the meantime',
      sub { $_[0]{read}[0]{ids} = [ '3-x', '2-x', '1-x' ] } ],
    [ 'an unknown one older than one acknowledged before it', sub { my $d = shift;
            my $l = $d->{timeline}{$p};
            push @{ $d->{send} }, { from => 'ann', conv => $p, text => 'p0', cid => '', id => '',
                                    status => 504, t0 => 1, t1 => 2 };
            $_->{seq}++, $_->{time}++ for @$l;
            unshift @$l, { id => '0-y', from => 'ann', text => 'p0', seq => 1, time => 101 };
            $d->{list}{$_}[1]{time} = 104 for qw(ann bob) } ],
);

for (@allowed) {
    my ($what, $change) = @$_;
    my $d = dclone(\%good);
    $change->($d);
    my $r = History::judge($d);
    is(History::summary($r), '', "no defect: $what") or diag explain $r->{notes};
}


# --- a real run: 2 workers, Redis killed three times, nothing promised is broken

my $t = Test::IM->new(
    workers => 2, conf_im => 'im_reply full;',
    redis_args => [qw(--appendonly yes --appendfsync always)],
)->start;
my $h = History->new(t => $t, writers => 4, readers => 1)->setup->start;

for my $away (0, 0.2, 0.5) {
    my $had = $h->acked;
    ok($t->poll(10, sub { $h->acked > $had + 300 }), 'served');
    $t->stop_redis('KILL');
    sleep $away;
    $t->start_redis;
}
ok($t->poll(10, sub { my $n = $h->acked; $h->{had} ||= $n; $n > $h->{had} + 300 }), 'served');

$h->stop;
$r = $h->check;
is(History::summary($r), '', 'killed 3 times with appendfsync always')
    or diag explain $r->{notes};
cmp_ok($r->{acked}, '>', 1000, "$r->{acked} acknowledged, $r->{refused} refused, "
       . "$r->{unknown} unknown");


# --- and a store that loses what it acknowledged is caught

my ($key) = grep { /g1/ } @{ $t->redis('KEYS', 'im:{c:*}:m') };
$t->redis('ZREMRANGEBYRANK', $key, 5, 5);
$r = $h->check;
is($r->{lost} + $r->{vanished} > 0, 1, 'a message taken out of Redis is missed');

$t->done;
done_testing;
