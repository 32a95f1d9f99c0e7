# Large pages and texts: a page is one page, whatever is stored meanwhile, and
# long texts are what was sent, however slowly they are read.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use POSIX ();
use Test::More;
use Test::IM;

my $t = Test::IM->new(conf_im => 'im_reply full; im_read_on_fetch off;')->start;


# --- pages while others write, and cursors

{
    my ($ann, $bob) = fresh();
    my $conv = $t->say($ann, $bob, 'm1')->conv_id;
    $t->say($ann, $bob, "m$_") for 2 .. 230;

    my @pid;
    for my $who ([ $ann, $bob ], [ $bob, $ann ], [ $ann, $bob ]) {
        my $pid = fork // die "fork: $!";
        if (!$pid) {
            my $c = $t->connect;
            for (1 .. 250) {
                $t->post('/im/send/msg', body(@$who, 'more'), conn => $c);
            }
            POSIX::_exit(0);
        }
        push @pid, $pid;
    }

    my ($pages, %wrong) = 0;
    while (waitpid($pid[0], POSIX::WNOHANG()) == 0 || $pages < 10) {
        for my $size (51, 199, 200) {
            my $page = $t->page($conv, page_size => $size);
            my @seq = map { $_->{seq} } @$page;
            $pages++;
            $wrong{"$size rows: " . @seq}++ if @seq != $size;
            $wrong{"$size: not in order"}++
                if "@seq" ne join ' ', reverse $seq[-1] .. $seq[0];
            $page = $t->page($conv, page_size => $size, before => $page->[-1]{msg_id});
            my $n = $seq[-1] - 1 < $size ? $seq[-1] - 1 : $size;
            $wrong{"$size before"}++
                if "@{[ map { $_->{seq} } @$page ]}" ne join ' ', reverse $seq[-1] - $n .. $seq[-1] - 1;
            next if !@$page;
            $page = $t->page($conv, page_size => $size, after => $page->[-1]{msg_id});
            $wrong{"$size after"}++ if @$page != $size || $page->[0]{seq} - $page->[-1]{seq} != $size - 1;
        }
    }
    waitpid $_, 0 for @pid[1, 2];
    is_deeply(\%wrong, {}, "$pages pages under load");

    my $last = $t->page($conv, page_size => 1)->[0]{seq};
    is($last, 230 + 750, 'all were stored');
    my @all;
    for (my $no = 1; ; $no++) {
        my $page = $t->page($conv, page_size => 200, page_no => $no);
        push @all, map { $_->{seq} } @$page;
        last if @$page < 200;
    }
    is_deeply(\@all, [ reverse 1 .. $last ], 'pages by number, to the end');

    @all = ();
    my $after = '';
    while (1) {
        my $page = $t->page($conv, page_size => 200, after => $after);
        unshift @all, map { $_->{seq} } @$page;
        last if @$page < 200;
        $after = $page->[0]{msg_id};
    }
    is_deeply(\@all, [ reverse 1 .. $last ], 'pages by a cursor, to the end');
}


# --- a group: its timeline ends with no message

for my $n (0, 49, 50, 51, 59, 60, 61) {
    my ($ann, $bob) = fresh();
    my $conv = $t->group($ann, [$bob]);
    $t->say_in($ann, $conv, "m$_") for 1 .. $n;
    is_deeply([ map { $_->{seq} } @{ $t->page($conv, page_size => 60) } ],
              [ reverse(($n > 60 ? $n - 59 : 1) .. $n) ], "60 of $n");
    is_deeply([ map { $_->{seq} } @{ $t->page($conv, page_size => 60, page_no => 2) } ],
              [ $n > 60 ? (1) : () ], "and the rest");
}


# --- long texts, in pages and lists

{
    my ($ann, $bob) = fresh();
    my @text = map { my $c = $_; map { $c x $_ } 8191, 8192, 8193, 32768 }
               'x', "\x01";
    my $conv;
    for my $text (@text) {
        $conv = $t->say($ann, $bob, $text)->conv_id;
        is_deeply([ map { $_->{last_msg} } @{ $t->list($bob) } ], [ $text ],
                  'a list of ' . length $text);
    }
    for my $size (1, 2, 5, 60) {
        my @want = reverse @text;
        splice @want, $size if $size < @want;
        is_deeply($t->texts($t->page($conv, page_size => $size)), \@want,
                  "page of $size");
    }

    # read slowly, on one connection, after other replies came
    my $want = [ reverse @text ];
    my @conn = map { $t->connect->send(bytes("/im/conv/$conv", {})) } 1 .. 20;
    my $site = $t->connect;
    for (1 .. 20) {
        $site->send("GET /site HTTP/1.1\r\nHost: x\r\n\r\n");
        $site->read_response;
        $t->say($bob, $ann, 'z' x 30000) if $_ % 5 == 0;
    }
    my %got;
    for my $c (@conn) {
        my $r = $c->read_response;
        next if $r->status == 503;          # too many are not read
        $got{"@{[ map { length } grep { !/^z/ } @{ $t->texts($r->json) } ]}"}++;
    }
    ok(!grep({ $_ !~ /^32768 8193 8192 8191/ } keys %got), 'whole answers')
        or diag(join "\n", keys %got);

    # one that is not read at all
    $t->connect->send(bytes("/im/conv/$conv", { page_size => 60 }))->reset;
    is($t->unread('nobody'), 0, 'a client that left');
}

$t->done;
done_testing;
