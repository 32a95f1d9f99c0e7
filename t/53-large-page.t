# Large pages and texts: a page is one page, whatever is stored meanwhile and
# in however many parts it is fetched, and long texts are what was sent,
# however slowly they are read.

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


# --- pages of more bytes than one command may fetch

# rows of a response, each [ seq, text as it is in JSON, recalled ]: JSON::PP
# takes seconds for one
sub rows {
    my ($path, $body) = @_;
    local $Test::IM::OpenAPI::ON = 0;
    my $r = $t->connect->send(bytes($path, $body))->read_response;
    my (undef, @row) = split /\{"msg_id":"/, $r->body;
    return [ map { my $at = index($_, '"msg":"') + 7;
                   [ /"seq":(\d+)(?:,"recalled":true)?\}[\],]+\z/,
                     substr($_, $at, index($_, '"', $at) - $at), /"recalled"/ ? 1 : 0,
                     /^([^"]+)/ ] } @row ];
}
sub seqs { return [ map { $_->[0] } @{ $_[0] } ] }

# what Redis has run for what is done here
sub ran {
    my ($do) = @_;
    my $slow = $t->redis(qw(CONFIG GET slowlog-log-slower-than))->[1];
    $t->redis(qw(CONFIG SET slowlog-log-slower-than 0));
    $t->redis(qw(CONFIG SET slowlog-max-len 10000));
    $t->redis(qw(SLOWLOG RESET));
    $do->();
    my @log = map { $_->[3] } @{ $t->redis(qw(SLOWLOG GET 10000)) };
    $t->redis(qw(CONFIG SET slowlog-log-slower-than), $slow);
    return @log;
}

{
    my ($ann, $bob) = fresh();
    my $long = '\u0001' x 32768;
    my $send = sub {
        my ($from, $to, $text) = @_;
        local $Test::IM::OpenAPI::ON = 0;
        return bytes('/im/send/msg', qq({"from_id":"$from",$to,"msg":"$text","msg_type":0}));
    };
    my ($to_ann, $to_bob) = (qq("to_id":"$ann"), qq("to_id":"$bob"));
    my $conv = $t->say($ann, $bob, 'm1')->conv_id;
    my $c = $t->connect;
    my $store = sub { $c->send($send->(@_)); $c->read_response->status == 200 or die };
    $store->($ann, $to_bob, "m$_") for 2 .. 200;

    # of short texts: one command for the rows
    for my $body ({ page_size => 200 }, { page_size => 200, after => '' }) {
        my @log = ran(sub { is(@{ rows("/im/conv/$conv", $body) }, 200, 'short ones') });
        is(grep({ $_->[0] eq 'EVALSHA' } @log), 1, 'by one command');
        is(grep({ $_->[0] =~ /LIMIT|BYSCORE/ && $_->[-1] > 20 } @log), 0, 'that reads some at a time');
    }

    # messages 201 to 300 are long but for every tenth
    my $text = sub { $_[0] > 200 && $_[0] % 10 ? $long : "m$_[0]" };
    $store->($ann, $to_bob, $text->($_)) for 201 .. 300;
    my $is = sub {
        my ($name, $body, $first, $last) = @_;
        my $page = rows("/im/conv/$conv", $body);
        is("@{ seqs($page) }", join(' ', reverse $first .. $last), $name);
        is(grep({ $_->[1] ne $text->($_->[0]) } @$page), 0, 'with their texts');
        return $page;
    };
    my $newest;
    my @log = ran(sub { $newest = $is->('the newest 120', { page_size => 120 }, 181, 300) });
    is(grep({ $_->[0] eq 'EVALSHA' } @log), 1, 'one script');
    my @n = map { $_->[-1] } grep { $_->[0] eq 'ZREVRANGEBYSCORE' } @log;
    cmp_ok(@n, '>', 2, "and several commands, of @n rows");
    is(grep({ $_ > 50 } @n), 0, 'none of which reads all');

    $is->('all the long ones', { page_size => 100 }, 201, 300);
    $is->('the next', { page_size => 120, page_no => 2 }, 61, 180);
    $is->("the newest $_", { page_size => $_ }, 301 - $_, 300) for 53, 54, 60;
    my $before = $is->('before the newest', { page_size => 200, before => $newest->[0][3] }, 100, 299);
    $is->('before one', { page_size => 200, before => $before->[-1][3] }, 1, 99);
    $is->('after one', { page_size => 150, after => $before->[-1][3] }, 101, 250);
    $is->('after one, to the end', { page_size => 200, after => $newest->[-1][3] }, 182, 300);
    is(@{ rows("/im/conv/$conv", { page_size => 200, after => $newest->[0][3] }) }, 0, 'after the last');

    # a group's timeline ends with a row that is no message
    my $group = $t->group($ann, [$bob]);
    $store->($ann, qq("conv_id":"$group"), $long) for 1 .. 60;
    for my $size (59, 60, 61, 200) {
        is("@{ seqs(rows(\"/im/conv/$group\", { page_size => $size })) }",
           join(' ', reverse((60 - $size < 1 ? 1 : 61 - $size) .. 60)), "group, $size");
    }

    # while others write, and recall what is read
    my @pid;
    for my $n (0, 1) {
        my $pid = fork // die "fork: $!";
        push(@pid, $pid), next if $pid;
        $c = $t->connect;
        for (1 .. 60) {
            $n ? $t->post('/im/msg/recall', { conv_id => $conv, from_id => $ann,
                          msg_id => $newest->[$_][3] }, conn => $c)
               : $store->($bob, $to_ann, $_ % 3 ? 'more' : $long);
        }
        POSIX::_exit(0);
    }
    my ($pages, %wrong) = 0;
    while (waitpid($pid[0], POSIX::WNOHANG()) == 0 || $pages < 3) {
        my $page = rows("/im/conv/$conv", { page_size => 150 });
        my @seq = @{ seqs($page) };
        $pages++;
        $wrong{'rows: ' . @seq}++ if @seq != 150;
        $wrong{"not in order: @seq"}++ if "@seq" ne join ' ', reverse $seq[-1] .. $seq[0];
        $wrong{"text of $_->[0]"}++
            for grep { $_->[0] < 301 && $_->[1] ne ($_->[2] ? '' : $text->($_->[0])) } @$page;
    }
    waitpid $pid[1], 0;
    is_deeply(\%wrong, {}, "$pages pages under load");
}


$t->done;
done_testing;
